package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"octopus/agent/broker"
	"octopus/agent/core"
	"octopus/agent/journal"
	"octopus/agent/modules"
	"octopus/agent/policy"
	"octopus/agent/redact"
	"octopus/agent/spool"
	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
)

// job is one attempt on its way through the sandbox. Its worker is a goroutine of the agent.
type job struct {
	offer   *wire.Offer // these are static
	attempt int
	key     core.Key
	begun   time.Time
	ctx     context.Context
	kill    context.CancelCauseFunc
	permit  chan error    // the core's answer to Ready; one place, sent once
	flag    chan struct{} // closed by the loop: the guest is asked to end

	usage   wire.Usage   // owned by the worker, as what follows
	intents spec.Intents // of a dry run
	log     *spool.Log
	hidden  redact.Redactor // the secrets that it received, which nothing that leaves may hold
	left    *artifacts      // the files that it hands over, nil where the server takes none
	allowed bool            // the core let the guest start: whatever happens then, the journal may say that it did
	staged  bool            // owned by the loop once the worker has posted Done
}

// start gives an execution to a worker.
func (a *Agent) start(o *wire.Offer, attempt int) {
	j := &job{
		offer: o, attempt: attempt, key: core.Key{Execution: o.Execution, Fence: o.Fence}, begun: time.Now(),
		permit: make(chan error, 1), flag: make(chan struct{}),
	}
	j.ctx, j.kill = context.WithCancelCause(a.running)
	a.held[j.key].job = j
	a.begun.Add(1)
	a.jobs.Go(func() {
		defer j.kill(nil)
		a.post(a.work(j))
	})
}

// work runs an execution and reports how it ended.
func (a *Agent) work(j *job) core.Done {
	o := j.offer
	j.log = a.logs.Begin(o.Execution, j.attempt, o.Fence)
	download, err := a.modules.EnsureVersion(j.ctx, o.Plugin, o.PluginVersion, o.Digest)
	j.usage.DownloadUS = download.Microseconds()
	var outcome wasmplugins.Outcome
	if err != nil {
		outcome = unavailable(err)
	} else {
		outcome = a.sandbox(j)
		outcome.Response = j.hidden.Response(outcome.Response)
		outcome.Invalid = j.hidden.Bytes(outcome.Invalid)
	}
	switch {
	case outcome.Err != nil && j.ctx.Err() != nil:
		outcome.Response = killedResponse(context.Cause(j.ctx).Error())
	case outcome.Err == nil && outcome.Response.Succeeded():
		a.stage(j, &outcome)
	}
	return a.report(j, outcome)
}

// killedResponse stands in for the response of a guest that the agent ended.
func killedResponse(reason string) spec.Response {
	switch reason {
	case core.ReasonLeaseLost:
		return spec.Failure(503, reason, "The agent ended it: the server was not heard for so long that another agent may run it.")
	case core.ReasonAgentStopped:
		return spec.Failure(503, reason, "The agent was stopped while it ran.")
	}
	return spec.Failure(499, spec.CodeCancelled, "It was cancelled.")
}

// unavailable is the outcome of an execution whose module could not be had.
func unavailable(err error) wasmplugins.Outcome {
	r := spec.Failure(503, spec.CodeUnavailable, "The plugin's module could not be fetched: "+err.Error())
	if errors.Is(err, modules.ErrDigest) {
		r = spec.Failure(502, spec.CodeDigestMismatch, modules.ErrDigest.Message)
	}
	if untrusted := (*modules.Untrusted)(nil); errors.As(err, &untrusted) {
		r = spec.Failure(403, spec.CodeUntrusted, untrusted.Error())
	}
	return wasmplugins.Outcome{Response: r, Err: err}
}

// sandboxRefusal says why the sandbox is not what an offer asks for; "" where it is.
func (a *Agent) sandboxRefusal(o *wire.Offer) string {
	if level := a.pool.Level(); !level.AtLeast(string(o.Sandbox)) {
		return fmt.Sprintf("The task asks for the sandbox level %s; this machine reaches %s.", o.Sandbox, level.Name)
	}
	return ""
}

// sandbox runs the guest.
func (a *Agent) sandbox(j *job) wasmplugins.Outcome {
	o := j.offer
	if why := a.sandboxRefusal(o); why != "" { // it was taken by a process that reached more
		return wasmplugins.Outcome{Response: spec.Failure(503, spec.CodeSandbox, why), Err: errors.New(why)}
	}
	var grant spec.Capabilities
	if len(o.Grant) > 0 && json.Unmarshal(o.Grant, &grant) != nil {
		err := fmt.Errorf("the offer's grant is malformed")
		return wasmplugins.Outcome{Response: spec.Failure(500, spec.CodeDenied, "The server sent a grant that cannot be read."), Err: err}
	}
	timeout := j.timeout()
	request, err := j.request(timeout, a.policy)
	if err != nil {
		return wasmplugins.Outcome{Response: spec.Failure(500, spec.CodeRefused, "The request could not be put together: "+err.Error()), Err: err}
	}
	c := broker.Config{
		Plugin: o.Plugin, Grant: grant, Policy: a.policy, Broadcast: a.broadcast.get,
		Remote: a.calls.remote(o.Execution, o.Fence), Ended: func() *broker.Error { return a.givenUp(o) },
		Scripts: a.scripts, Cancelled: j.flag, Redact: &j.hidden, DryRun: o.DryRun, OnCall: j.intend,
	}
	if len(grant.Files) > 0 {
		c.Private = a.private()
	}
	if o.ArtifactBytes > 0 {
		j.left = a.artifactsOf(j)
		c.Artifacts, c.ArtifactBytes = j.left, min(o.ArtifactBytes, wire.MaxArtifactBytes)
	}
	b := broker.New(c)
	defer b.Close()
	log := redact.Lines{Redactor: &j.hidden, Out: j.writeLog}
	defer log.Close()
	return a.pool.Run(j.ctx, wasmplugins.Job{
		Digest: o.Digest, Memory: o.MemoryBytes, Timeout: timeout, Stdout: o.StdoutBytes, Fuel: o.Fuel, Request: request,
		Repeat:     j.repeat(),
		Env:        a.policy.Environment(grant.Env),
		OnLog:      log.Write,
		OnProgress: func(fraction float64, message string) { a.progress(j, fraction, j.hidden.Text(message)) },
		OnReady:    func(p wasmplugins.Prepared) error { return a.ready(j, p) },
		Cancelled:  j.flag,
	}, b)
}

// givenUp refuses host calls once the lease of an execution has ended that another agent may have been given. A
// machine that slept asks this before anything else has noticed.
func (a *Agent) givenUp(o *wire.Offer) *broker.Error {
	if l := a.lease.Load(); l == nil || l.Allows(o, a.clock()) {
		return nil
	}
	return &broker.Error{Code: core.ReasonLeaseLost, Message: "The server was not heard for so long that another agent may run this."}
}

// repeat is the clock and the seed that the guest was given. Sleeping takes its time: timeouts are real.
func (j *job) repeat() (r wasmplugins.Repeat) {
	if ns := j.offer.ClockNS; ns != nil {
		r.Clock = time.Unix(0, *ns).UTC()
	}
	r.Seed = j.offer.Seed
	return r
}

// timeout is what the guest gets: the task's, and no more than what is left of the deadline over all attempts.
func (j *job) timeout() time.Duration {
	timeout := time.Duration(j.offer.TimeoutMS) * time.Millisecond
	if timeout <= 0 {
		timeout = wasmplugins.DefaultTimeout
	}
	if ms := j.offer.DeadlineMS; ms > 0 {
		left := time.Duration(ms)*time.Millisecond - time.Since(j.begun)
		timeout = min(timeout, max(left, time.Millisecond))
	}
	return timeout
}

func (j *job) request(timeout time.Duration, policy *policy.Policy) ([]byte, error) {
	o := j.offer
	now := j.repeat().Clock // the deadline is by the clock that the guest sees
	if now.IsZero() {
		now = time.Now()
	}
	r := spec.Request{
		ABI: spec.ABI, Action: o.Action, Params: o.Params, Config: o.Config,
		Execution: spec.RequestExecution{
			ID: o.Execution, Run: o.Run, Task: o.Task, Attempt: j.attempt, Deadline: now.Add(timeout).UTC(), DryRun: o.DryRun,
		},
	}
	if len(r.Params) == 0 {
		r.Params = json.RawMessage("{}")
	}
	if len(o.User) > 0 {
		r.User = new(spec.RequestUser)
		if err := json.Unmarshal(o.User, r.User); err != nil {
			return nil, fmt.Errorf("user: %w", err)
		}
		if err := allowed(r.User, policy); err != nil {
			return nil, fmt.Errorf("user: %w", err)
		}
	}
	return json.Marshal(r)
}

// allowed leaves a user those parameters that the agent's owner lets plugins know.
func allowed(u *spec.RequestUser, policy *policy.Policy) error {
	if len(u.Params) == 0 {
		return nil
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(u.Params, &all); err != nil {
		return err
	}
	maps.DeleteFunc(all, func(category string, _ json.RawMessage) bool { return !policy.UserParams(category) })
	var err error
	u.Params, err = json.Marshal(all)
	return err
}

// ready asks the core whether the guest may start, and has the start on disk before it does.
func (a *Agent) ready(j *job, p wasmplugins.Prepared) error {
	ready := time.Since(j.begun)
	j.usage.CompileUS = p.CompileTime.Microseconds()
	a.post(core.Ready{Key: j.key, Prepared: wire.Prepared{
		DownloadMS: j.usage.DownloadUS / 1000, CompileMS: p.CompileTime.Milliseconds(), ReadyMS: ready.Milliseconds(),
	}})
	select {
	case err := <-j.permit:
		if err != nil {
			return err
		}
		j.allowed = true
	case <-j.ctx.Done():
		return context.Cause(j.ctx)
	}
	if err := a.journaled(a.journal.Started(journal.Key{Execution: j.key.Execution, Fence: j.key.Fence}, j.attempt)); err != nil {
		return fmt.Errorf("note the start: %w", err)
	}
	j.usage.ReadyUS = time.Since(j.begun).Microseconds()
	return nil
}

func (j *job) writeLog(lines []wasmplugins.LogLine) {
	out := make([]spool.Line, len(lines))
	for i, l := range lines {
		out[i] = spool.Line{At: l.Time, Text: l.Text}
	}
	j.log.Write(out)
}

// intend notes what a dry run would have done.
func (j *job) intend(c broker.Record) {
	if c.Intent != "" {
		j.intents.Add(spec.Intent{Op: c.Op, Target: j.hidden.Text(c.Target), Message: j.hidden.Text(c.Intent)})
	}
}

func (a *Agent) progress(j *job, fraction float64, message string) {
	a.transmit(&wire.Progress{Execution: j.key.Execution, Fence: j.key.Fence, Fraction: max(fraction, 0), Message: message}, true)
}

// stage writes the file operations of a response. Where that is not possible the execution fails as a whole.
func (a *Agent) stage(j *job, outcome *wasmplugins.Outcome) {
	if j.offer.DryRun {
		for _, op := range outcome.Response.Data {
			j.intents.Add(spec.IntentOf(j.offer.Plugin, op))
		}
		return
	}
	files := false
	for _, op := range outcome.Response.Data {
		files = files || op.Type == spec.OpFile
	}
	if !files {
		return
	}
	var err error
	if a.policy.AllowsFiles() {
		err = a.outputs.stage(j.offer, outcome.Response.Data)
	} else {
		err = octopus.Errorf(octopus.CodeDenied, "The owner of this agent does not allow plugins to write files.")
	}
	if err == nil {
		j.staged = true
		return
	}
	status, code := 507, "file_output"
	if octopus.CodeOf(err) == octopus.CodeDenied {
		status, code = 403, spec.CodeDenied
	}
	outcome.Response = spec.Failure(status, code, "The response's files could not be written: "+err.Error())
	outcome.Err = err
}

// report makes the result of an attempt.
func (a *Agent) report(j *job, out wasmplugins.Outcome) core.Done {
	if out.RawFile != "" {
		os.Remove(out.RawFile)
	}
	j.usage.GuestUS, j.usage.PeakMemory, j.usage.HostCalls = out.GuestTime.Microseconds(), out.PeakMemory, out.HostCalls
	j.usage.OutputBytes, j.usage.Fuel, j.usage.FuelAtLeast = out.RawSize, out.Fuel, out.FuelAtLeast
	var last int64
	last, j.usage.LogBytes = j.log.Close()
	done := core.Done{Key: j.key, Natural: out.Err == nil, Code: codeOf(out.Response)}
	done.Result = wire.Result{
		Outcome: octopus.Failed, MayRetry: out.Response.MayRetry(), LastLogSeq: last,
		ElapsedMS: out.GuestTime.Milliseconds(), Usage: j.usage,
		Invalid:      out.Invalid[:min(len(out.Invalid), wire.MaxInvalid)],
		NeverStarted: !j.allowed && (done.Code == spec.CodeSandbox || done.Code == spec.CodeUnavailable),
	}
	if list := j.intents.List(); len(list) > 0 {
		done.Result.Intents, _ = wire.Raw(list) // strings only
	}
	r := &done.Result
	switch {
	case out.Response.Succeeded():
		r.Outcome, r.MayRetry = octopus.Succeeded, false
	case !done.Natural && done.Code == spec.CodeTimeout:
		r.Outcome, r.Reason = octopus.TimedOut, spec.CodeTimeout
	default:
		r.Reason = done.Code
	}
	if e := out.Response.Error; e != nil {
		r.RetryAfterMS = int64(e.RetryAfterSeconds * 1000)
	}
	a.leave(j, r)
	a.body(j, r, out.Response)
	return done
}

func codeOf(r spec.Response) string {
	if r.Error == nil {
		return ""
	}
	return r.Error.Code
}

// body puts the response into the result, or, where it is large, onto the disk to be uploaded.
func (a *Agent) body(j *job, r *wire.Result, response spec.Response) {
	raw, err := json.Marshal(response)
	if err == nil && len(raw) > wire.MaxInline {
		sum := sha256.Sum256(raw)
		if err = a.blobs.write(j.key, suffixBlob, raw); err == nil {
			r.BlobSHA256 = hex.EncodeToString(sum[:])
			return
		}
	}
	if err != nil {
		r.Outcome, r.Reason, r.MayRetry = octopus.Failed, spec.CodeOutputLimit, false
		a.outputs.discard(j.offer)
		raw, _ = json.Marshal(spec.Failure(507, spec.CodeOutputLimit, "The agent could not keep the response: "+err.Error()))
	}
	r.Response = raw
}
