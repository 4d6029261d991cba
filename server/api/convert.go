package api

import (
	"cmp"
	"math"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// utc is how times travel: UTC with microseconds. The zero time stays zero and is left out.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Microsecond)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// toTarget says what was left out: any one agent.
func toTarget(t octopus.Target) sdk.Target {
	out := sdk.Target{Mode: cmp.Or(string(t.Mode), string(octopus.TargetAny)), Count: t.Count, Agent: t.Agent, Selector: t.Selector}
	if out.Mode == string(octopus.TargetAny) {
		out.Count = cmp.Or(out.Count, 1)
	}
	return out
}

func fromTarget(t sdk.Target) octopus.Target {
	return octopus.Target{Mode: octopus.TargetMode(t.Mode), Count: t.Count, Agent: t.Agent, Selector: t.Selector}
}

func toWork(w octopus.Work) sdk.Work {
	return sdk.Work{
		Plugin: w.Plugin, Version: w.Version, Action: w.Action, Params: w.Params, Target: toTarget(w.Target),
		TimeoutSeconds: w.Timeout.Seconds(), DeadlineSeconds: w.Deadline.Seconds(), WaitTTLSeconds: w.WaitTTL.Seconds(),
		LostAfterSeconds: w.LostAfter.Seconds(), OnLost: string(w.OnLost), MaxAttempts: w.MaxAttempts, Priority: w.Priority, DryRun: w.DryRun,
		Fuel: int64(min(w.Fuel, math.MaxInt64)), Sandbox: string(w.Sandbox), Clock: w.Clock, Seed: w.Seed,
	}
}

func fromWork(w sdk.Work) octopus.Work {
	return octopus.Work{
		Plugin: w.Plugin, Version: w.Version, Action: w.Action, Params: w.Params, Target: fromTarget(w.Target),
		Timeout: duration(w.TimeoutSeconds), Deadline: duration(w.DeadlineSeconds), WaitTTL: duration(w.WaitTTLSeconds),
		LostAfter: duration(w.LostAfterSeconds), OnLost: octopus.OnLost(w.OnLost), MaxAttempts: w.MaxAttempts, Priority: w.Priority, DryRun: w.DryRun,
		Fuel: uint64(max(w.Fuel, 0)), Sandbox: octopus.SandboxLevel(w.Sandbox),
		Repeat: octopus.Repeat{Clock: w.Clock.UTC(), Seed: w.Seed},
	}
}

// toRun is the form of lists: without parameters and executions.
func toRun(r octopus.Run) sdk.Run {
	out := sdk.Run{
		ID: r.ID, TaskID: r.TaskID, TaskName: r.TaskName, TaskRevision: r.TaskRevision,
		Plugin: r.Plugin, PluginVersion: r.Version, Action: r.Action, Target: toTarget(r.Target), Labels: r.Labels, DryRun: r.DryRun,
		Status: string(r.Status()), Outcome: string(r.Counts.Outcome()), Counts: make(map[string]int, len(r.Counts)), Total: r.Total,
		ExecutionsURL: Prefix + "/runs/" + r.ID + "/executions", RetryOf: r.RetryOf, CreatedBy: r.CreatedBy, Source: r.Source,
		CreatedAt: utc(r.CreatedAt), StartedAt: utc(r.StartedAt), FinishedAt: utc(r.FinishedAt),
	}
	for status, n := range r.Counts {
		if n > 0 {
			out.Counts[string(status)] = n
		}
	}
	for _, l := range r.LeftOut {
		out.LeftOut = append(out.LeftOut, toLeftOut(l))
	}
	return out
}

func toLeftOut(l octopus.LeftOut) sdk.LeftOut {
	return sdk.LeftOut{AgentID: l.AgentID, AgentName: l.AgentName, Reason: l.Reason}
}

// toExecution is the form of lists: without parameters, attempts and response.
func (a *API) toExecution(x octopus.Execution) sdk.Execution {
	base := Prefix + "/executions/" + x.ID
	out := sdk.Execution{
		ID: x.ID, RunID: x.RunID, TaskID: x.TaskID, TaskName: x.TaskName, Plugin: x.Plugin, PluginVersion: x.PluginVersion,
		Action: x.Action, AgentID: x.AgentID, AgentName: x.AgentName, Status: string(x.Status), Silent: x.Silent,
		Cancelling: x.Cancelling && !x.Status.Terminal(), Attempt: x.Attempt, MaxAttempts: x.MaxAttempts, DryRun: x.DryRun,
		Sandbox: string(x.Sandbox), Clock: x.Clock, Seed: x.Seed,
		Reason: toReason(x.Reason), StatusCode: x.StatusCode, Message: x.Message, LastLog: x.LastLog, LogSeq: x.LogSeq,
		RetryOf: x.RetryOf, CreatedBy: x.CreatedBy, CancelledBy: x.CancelledBy,
		CreatedAt: utc(x.CreatedAt), QueuedAt: utc(x.QueuedAt), OfferedAt: utc(x.OfferedAt), StartedAt: utc(x.StartedAt),
		FinishedAt: utc(x.FinishedAt), DurationMS: ms(x.Duration()),
		Links: sdk.ExecutionLinks{Logs: base + "/logs", Artifacts: base + "/artifacts", UI: "/executions/" + x.ID},
	}
	if x.Status.Terminal() {
		out.Links.Result = base + "/result"
	}
	if x.Progress != nil {
		out.Progress = &sdk.Progress{Fraction: x.Progress.Fraction, Message: x.Progress.Message}
	}
	if x.Waiting != nil {
		out.Waiting = &sdk.Waiting{Code: x.Waiting.Code, Message: x.Waiting.Message, Since: utc(x.Waiting.Since)}
	}
	if x.Usage != (octopus.Usage{}) {
		out.Usage = toUsage(x.Usage)
	}
	return out
}

func toUsage(u octopus.Usage) *sdk.Usage {
	return &sdk.Usage{
		DownloadMS: ms(u.DownloadTime), CompileMS: ms(u.CompileTime), ReadyMS: ms(u.ReadyTime), GuestMS: ms(u.GuestTime),
		PeakMemory: u.PeakMemory, HostCalls: u.HostCalls, LogBytes: u.LogBytes, OutputBytes: u.OutputBytes, Fuel: u.Fuel,
		FuelAtLeast: u.FuelAtLeast,
	}
}

func toReason(r *octopus.Reason) *sdk.Reason {
	if r == nil {
		return nil
	}
	return &sdk.Reason{Code: r.Code, Message: r.Message}
}

func toAttempt(t octopus.Attempt) sdk.Attempt {
	return sdk.Attempt{
		Number: t.Number, AgentID: t.AgentID, AgentName: t.AgentName, Status: string(t.Status), Reason: toReason(t.Reason),
		GoAt: utc(t.GoAt), StartedAt: utc(t.StartedAt), FinishedAt: utc(t.FinishedAt),
	}
}

func toEvent(e octopus.Event) sdk.Event {
	return sdk.Event{
		Kind: e.Kind, AgentID: e.AgentID, AgentName: e.AgentName, Message: e.Message, DurationMS: ms(e.Duration),
		Attempt: e.Attempt, At: utc(e.At),
	}
}

func toExplanation(e octopus.Explanation) sdk.Explanation {
	out := sdk.Explanation{
		Execution: e.Execution.ID, Status: string(e.Execution.Status), Summary: e.Summary,
		Steps: make([]sdk.Step, len(e.Steps)), Agents: make([]sdk.Candidate, len(e.Agents)),
		LateResults: make([]sdk.LateResult, len(e.Late)),
	}
	if e.Next != nil {
		out.Next = &sdk.Forecast{At: utc(e.Next.At), Message: e.Next.Message}
	}
	for i, s := range e.Steps {
		out.Steps[i] = sdk.Step{
			At: utc(s.At), Until: utc(s.Until), Kind: s.Kind, Outcome: s.Outcome, AgentID: s.AgentID, AgentName: s.AgentName,
			Attempt: s.Attempt, Count: s.Count, Message: s.Message, DurationMS: ms(s.Duration),
		}
	}
	for i, c := range e.Agents {
		out.Agents[i] = sdk.Candidate{
			AgentID: c.AgentID, AgentName: c.AgentName, State: c.State, Reason: c.Reason, Offers: c.Offers, LastOffer: utc(c.LastOffer),
		}
	}
	for _, l := range e.LeftOut {
		out.LeftOut = append(out.LeftOut, toLeftOut(l))
	}
	for i, l := range e.Late {
		out.LateResults[i] = toLateResult(l)
	}
	return out
}

func toLateResult(l octopus.LateResult) sdk.LateResult {
	return sdk.LateResult{
		At: utc(l.At), AgentName: l.AgentName, Attempt: l.Attempt, Outcome: string(l.Outcome), Reason: l.Reason,
		Message: l.Message, Response: l.Response,
	}
}

func toNamedResult(r octopus.NamedResult) sdk.NamedResult {
	return sdk.NamedResult{Name: r.Name, Value: r.Value, At: utc(r.At)}
}
