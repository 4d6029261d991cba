package dispatch

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/seeded"
	"octopus/internal/wire"
	"octopus/sdk/spec"
	"octopus/server/store"
)

// maxEvidence bounds a late result that is kept, in bytes.
const maxEvidence = 64 << 10

// result commits the end of an attempt. A result under another fence flips nothing: it is kept as evidence.
func (r rules) result(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	ack := func(v wire.Verdict) effect { return effect{kind: sendAck, fence: e.fence, verdict: v} }
	switch {
	case e.fence > x.Fence:
		return keep(ack(wire.VerdictUnknown)) // a fence that this database never gave: it was restored from a backup
	case e.fence == x.Fence && x.Status == octopus.Running && x.AgentID == e.agentID,
		seeded.Is(seeded.NoFenceCheck) && x.Status == octopus.Running,
		seeded.Is(seeded.LateResultApplied) && x.Status == octopus.Lost && e.fence < x.Fence:
		c, effects := r.record(x, now, e.result)
		return c, append(effects, ack(wire.VerdictCommitted)), nil
	case e.fence == x.Fence && recorded(x, e):
		return keep(ack(wire.VerdictDuplicate))
	case x.Status.Terminal():
		return late(x, now, e), []effect{ack(wire.VerdictSuperseded)}, nil
	}
	return late(x, now, e), []effect{ack(wire.VerdictStale)}, nil
}

// recorded reports whether the event's result is the one that x has: only a result ends x, or puts it back, without
// a new fence.
func recorded(x octopus.Execution, e event) bool {
	if x.Status.Terminal() {
		return x.AgentID == e.agentID
	}
	return x.Status == octopus.Queued && x.Attempt == e.result.Attempt
}

// late keeps a result that nobody waits for any more.
func late(x octopus.Execution, now time.Time, e event) store.Change {
	o := e.result
	body := lateBody{Agent: e.agentName, Attempt: o.Attempt, Fence: o.Fence, Outcome: o.Outcome, Reason: o.Reason}
	if o.invalid == nil && len(o.raw) <= maxEvidence {
		body.Response = o.raw
	}
	raw, err := json.Marshal(body)
	if err != nil {
		raw = nil
	}
	c := change(x, "late_result", "A late result from %s (%s) was kept as evidence; it changes nothing.", e.agentName, o.Outcome)
	c.Events[0].AgentID, c.Events[0].AgentName, c.Events[0].Attempt = e.agentID, e.agentName, o.Attempt
	c.Evidence = raw
	return c
}

// record ends x's attempt with its result, and x with it unless it may be tried again.
func (r rules) record(x octopus.Execution, now time.Time, o *outcome) (store.Change, []effect) {
	if o.Outcome == octopus.Lost {
		c, effects := r.lose(x, now, sentence(o.Reason, "agent_restarted"), lossSentence(o.Reason, x.AgentName))
		c.Next.Fence = x.Fence // its agent said so itself: when it says so again it is a duplicate
		return c, effects
	}
	x, lines := r.measure(x, now, o)
	status, reason := verdictOf(x, o)
	finished := finishedAt(x, now, o)
	done := attempt(x, status, reason, finished)
	left, refused := artifacts(x, now, status, o), refusedModule(x, o, reason)
	if o.filesLost != "" {
		lines = append(lines, line(x, "artifacts_lost", "Files that the plugin handed over are not kept. %s", o.filesLost))
	}
	if at, ok := r.again(x, now, status, o); ok {
		how := verb(status)
		if o.neverStarted() {
			how = "could not start"
		}
		c := store.Change{Attempt: done, Artifacts: left, Refused: refused, Events: append(lines, retryLine(x, how, at.Sub(now)))}
		c.Next = r.back(x, now, at, fmt.Sprintf("Attempt %d %s; trying again in %s.", x.Attempt, how, short(at.Sub(now))))
		return c, []effect{{kind: wakeClaimer}}
	}
	code, message := "", ""
	if reason != nil {
		code, message = reason.Code, reason.Message
	}
	x = end(x, finished, status, code, message)
	x.Response, x.StatusCode, x.Message = o.raw, o.response.StatusCode, o.response.Message
	ended := line(x, "ended", "%s after %s.", capital(verb(status)), short(x.Duration()))
	ended.Duration = x.Duration()
	c := store.Change{Next: x, Attempt: done, Artifacts: left, Refused: refused, Events: append(lines, ended)}
	if status == octopus.Succeeded && !x.DryRun {
		c.Results, c.Cache = operations(x, now, o.response.Data)
	}
	return c, nil
}

// measure notes what the attempt cost, and the lines of its start unless they were written before.
func (r rules) measure(x octopus.Execution, now time.Time, o *outcome) (octopus.Execution, []octopus.Event) {
	u := o.Usage
	x.Usage = octopus.Usage{
		DownloadTime: us(u.DownloadUS), CompileTime: us(u.CompileUS), ReadyTime: us(u.ReadyUS), GuestTime: us(u.GuestUS),
		PeakMemory: u.PeakMemory, HostCalls: max(u.HostCalls, 0), LogBytes: max(u.LogBytes, 0), OutputBytes: max(u.OutputBytes, 0),
		Fuel: min(u.Fuel, math.MaxInt64), FuelAtLeast: u.FuelAtLeast,
	}
	if !x.StartedAt.IsZero() || u.GuestUS <= 0 && o.ElapsedMS <= 0 {
		return x, nil
	}
	x.StartedAt = earlier(x.GoAt.Add(x.Usage.ReadyTime), now)
	return x, readyLines(x)
}

// finishedAt is when the guest ended: what the agent measured, but never later than now.
func finishedAt(x octopus.Execution, now time.Time, o *outcome) time.Time {
	ran := max(us(o.Usage.GuestUS), ms(o.ElapsedMS))
	if x.StartedAt.IsZero() || ran <= 0 {
		return now
	}
	return earlier(x.StartedAt.Add(ran), now)
}

// verdictOf is how the attempt ended. The response has the word where the outcome says that there is one.
func verdictOf(x octopus.Execution, o *outcome) (octopus.Status, *octopus.Reason) {
	status := o.Outcome
	if o.invalid != nil {
		return octopus.Failed, &octopus.Reason{Code: spec.CodeInvalidResponse, Message: octopus.Sentence(o.invalid)}
	}
	if status == octopus.Succeeded && !o.response.Succeeded() {
		status = octopus.Failed
	}
	switch status {
	case octopus.Succeeded:
		return status, nil
	case octopus.TimedOut:
		return status, &octopus.Reason{Code: "timeout", Message: sentence(o.response.Message, "It ran longer than its timeout of "+short(x.Timeout)+".")}
	case octopus.Cancelled:
		message := "It was cancelled on its agent."
		if x.Cancelling {
			message = "Cancelled by " + x.CancelledBy + "."
		}
		return status, &octopus.Reason{Code: "cancelled", Message: message}
	}
	code := sentence(o.Reason, "failed")
	if o.response.Error != nil && o.response.Error.Code != "" {
		code = o.response.Error.Code
	}
	return octopus.Failed, &octopus.Reason{Code: code, Message: sentence(o.response.Message, "The plugin answered with status "+fmt.Sprint(o.response.StatusCode)+".")}
}

// again reports whether and when an attempt that ended in status is followed by another.
func (r rules) again(x octopus.Execution, now time.Time, status octopus.Status, o *outcome) (time.Time, bool) {
	if status != octopus.Failed && status != octopus.TimedOut || !o.MayRetry || x.Cancelling {
		return time.Time{}, false
	}
	at := now.Add(r.pause(x))
	if o.RetryAfterMS > 0 {
		at = now.Add(ms(o.RetryAfterMS))
	}
	if o.neverStarted() {
		x.MaxAttempts += spareAttempts
	}
	return at, r.mayTry(x, at)
}

// spareAttempts is how many more attempts an execution has, all in all, where one ended before the guest started: such
// a one did nothing, and the next may find space on the disk, or another agent. A guest starts max_attempts times at
// most all the same, because only what never started goes beyond.
const spareAttempts = 3

// neverStarted reports whether the agent could not start the guest.
func (o *outcome) neverStarted() bool {
	return o.NeverStarted && o.Outcome == octopus.Failed && o.Usage.GuestUS == 0 && o.ElapsedMS == 0
}

// mayTry reports whether x has an attempt left, and time for it.
func (r rules) mayTry(x octopus.Execution, at time.Time) bool {
	return x.Attempt < x.MaxAttempts && (x.WaitUntil.IsZero() || at.Before(x.WaitUntil))
}

// pause is the backoff before the next attempt: doubling, at most an hour, with half of it jitter that depends on
// the execution, so that what failed together does not come back together.
func (r rules) pause(x octopus.Execution) time.Duration {
	base := min(r.backoff<<min(max(x.Attempt-1, 0), 12), time.Hour)
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d", x.ID, x.Attempt)
	return base/2 + time.Duration(h.Sum64()%uint64(base/2+1))
}

// back queues a running x for another attempt. The fence stays: the next offer raises it.
func (r rules) back(x octopus.Execution, now, at time.Time, why string) octopus.Execution {
	fence, from := x.Fence, now
	if at.After(now) {
		from = at
	}
	x = r.queueAgain(x, now)
	x.Fence, x.NotBefore = fence, at
	x.DeadlineAt, x.WaitUntil = x.WaitUntil, from.Add(r.waitTTL(x))
	x.Waiting = &octopus.Waiting{Code: "retry", Message: why, Since: now}
	return x
}

// waitTTL is how long an execution waits for an agent where nothing else was said.
func (r rules) waitTTL(x octopus.Execution) time.Duration {
	if x.Mode == octopus.TargetAgent {
		return r.waitAgent
	}
	return r.waitAny
}

func retryLine(x octopus.Execution, how string, pause time.Duration) octopus.Event {
	of := ""
	if x.Attempt <= x.MaxAttempts {
		of = fmt.Sprintf(" of %d", x.MaxAttempts)
	}
	return line(x, "retry", "Attempt %d%s %s; trying again in %s.", x.Attempt, of, how, short(pause))
}

// operations turns what a response asks of the server into rows. Files are the agent's.
func operations(x octopus.Execution, now time.Time, data []spec.Operation) (results []octopus.NamedResult, cache []octopus.CacheEntry) {
	for _, op := range data {
		switch op.Type {
		case spec.OpDB:
			results = append(results, octopus.NamedResult{ExecutionID: x.ID, Name: op.Name, Value: op.Value, At: now})
		case spec.OpCache:
			ttl := op.TTLSeconds
			if ttl <= 0 {
				ttl = spec.DefaultCacheTTL
			}
			cache = append(cache, octopus.CacheEntry{
				Region: regionPluginData, Key: pluginKey(x.Plugin, op.Name), Value: op.Value,
				ExpiresAt: now.Add(time.Duration(ttl) * time.Second), UpdatedAt: now,
			})
		}
	}
	return results, cache
}

func verb(s octopus.Status) string {
	switch s {
	case octopus.TimedOut:
		return "ran into its timeout"
	case octopus.Lost:
		return "was lost"
	case octopus.Cancelled:
		return "was cancelled"
	}
	return string(s)
}

// capital begins a sentence with text.
func capital(text string) string {
	if text == "" || text[0] < 'a' || text[0] > 'z' {
		return text
	}
	return string(text[0]-'a'+'A') + text[1:]
}
