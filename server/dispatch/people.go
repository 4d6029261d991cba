package dispatch

import (
	"context"

	"golang.org/x/sync/errgroup"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/store"
)

// Cancel asks for an execution to end: at once before its go, else as soon as its agent confirms. It is a durable
// intent, repeated until the agent has it. An execution that has ended is CodeConflict.
func (d *Dispatcher) Cancel(ctx context.Context, executionID, by string) (octopus.Execution, error) {
	return d.ask(ctx, executionID, event{kind: evCancel, by: by})
}

// ForceClose ends an execution at once, without its agent. What the agent reports later is kept as evidence.
func (d *Dispatcher) ForceClose(ctx context.Context, executionID, by string) (octopus.Execution, error) {
	return d.ask(ctx, executionID, event{kind: evForceClose, by: by})
}

// ask steps an execution for a person.
func (d *Dispatcher) ask(ctx context.Context, executionID string, e event) (octopus.Execution, error) {
	var r stepped
	if err := d.inLane(ctx, executionID, func(ctx context.Context) {
		r = d.step(ctx, executionID, e)
		d.tell(r)
	}); err != nil {
		return octopus.Execution{}, err
	}
	return r.x, r.err
}

// endsAtOnce is how many executions of a run are ended side by side: they share commits.
const endsAtOnce = 64

// CancelRun cancels every execution of a run that lives. A run that has ended is CodeConflict.
func (d *Dispatcher) CancelRun(ctx context.Context, runID, by string) (octopus.Run, error) {
	return d.endRun(ctx, runID, func(x octopus.Execution) bool { return !x.Cancelling },
		func(ctx context.Context, id string) error { _, err := d.Cancel(ctx, id, by); return err })
}

// ForceCloseRun force-closes every execution of a run that lives, also those that are being cancelled. A run that has
// ended is CodeConflict.
func (d *Dispatcher) ForceCloseRun(ctx context.Context, runID, by string) (octopus.Run, error) {
	return d.endRun(ctx, runID, func(octopus.Execution) bool { return true },
		func(ctx context.Context, id string) error { _, err := d.ForceClose(ctx, id, by); return err })
}

// endRun does something to every execution of a run that lives and is meant.
func (d *Dispatcher) endRun(ctx context.Context, runID string, meant func(octopus.Execution) bool, do func(context.Context, string) error) (octopus.Run, error) {
	run, err := d.store.Run(ctx, runID)
	if err != nil {
		return octopus.Run{}, err
	}
	if run.Status().Terminal() {
		return octopus.Run{}, octopus.Errorf(octopus.CodeConflict, "The run has already ended: it %s.", runVerb(run.Status()))
	}
	for left := run.Total - run.Counts.Total(); left > 0; { // what is not inserted yet could not be cancelled
		if left, err = d.store.ExpandRun(ctx, runID); err != nil {
			return octopus.Run{}, err
		}
	}
	for range 3 { // again for those that changed pages while they were read
		live, err := d.liveExecutions(ctx, runID, meant)
		if err != nil {
			return octopus.Run{}, err
		}
		if len(live) == 0 {
			break
		}
		if err := endAll(ctx, live, do); err != nil {
			return octopus.Run{}, err
		}
	}
	return d.store.Run(ctx, runID)
}

func endAll(ctx context.Context, ids []string, do func(context.Context, string) error) error {
	var all errgroup.Group
	all.SetLimit(endsAtOnce)
	for _, id := range ids {
		all.Go(func() error {
			err := do(ctx, id)
			if octopus.CodeOf(err) == octopus.CodeConflict {
				return nil // it ended meanwhile
			}
			return err
		})
	}
	return all.Wait()
}

// liveExecutions lists the executions of a run that have not ended and are meant. Pages are in an order
// that states change, so it reads all before anything is done to them.
func (d *Dispatcher) liveExecutions(ctx context.Context, runID string, meant func(octopus.Execution) bool) (ids []string, err error) {
	err = d.eachExecution(ctx, runID, func(x octopus.Execution) error {
		if !x.Status.Terminal() && meant(x) {
			ids = append(ids, x.ID)
		}
		return nil
	})
	return ids, err
}

func runVerb(s octopus.RunStatus) string {
	if s == octopus.RunCancelled {
		return "was cancelled"
	}
	return string(s)
}

// eachExecution visits the executions of a run.
func (d *Dispatcher) eachExecution(ctx context.Context, runID string, visit func(octopus.Execution) error) error {
	page := store.Page{Limit: store.MaxLimit}
	for {
		list, next, err := d.store.RunExecutions(ctx, runID, page)
		if err != nil {
			return err
		}
		for _, x := range list {
			if err := visit(x); err != nil {
				return err
			}
		}
		if page.Cursor = next; next == "" {
			return nil
		}
	}
}

// Retry starts a new run of one execution, with retry_of: on the same agent where the target named it.
func (d *Dispatcher) Retry(ctx context.Context, executionID, by, source string, key *store.Idempotency) (octopus.Run, bool, error) {
	x, err := d.store.Execution(ctx, executionID)
	if err != nil {
		return octopus.Run{}, false, err
	}
	run, err := d.store.Run(ctx, x.RunID)
	if err != nil {
		return octopus.Run{}, false, err
	}
	if !x.Status.Terminal() {
		return octopus.Run{}, false, octopus.Errorf(octopus.CodeConflict, "The execution has not ended yet. Cancel it first, or wait.")
	}
	return d.Submit(ctx, repeat(run, []octopus.Execution{x}, by, source, key))
}

// RetryRun starts a new run of what a run did; with onlyFailed of those executions that did not succeed.
func (d *Dispatcher) RetryRun(ctx context.Context, runID string, onlyFailed bool, by, source string, key *store.Idempotency) (octopus.Run, bool, error) {
	run, err := d.store.Run(ctx, runID)
	if err != nil {
		return octopus.Run{}, false, err
	}
	if !onlyFailed {
		s := repeat(run, nil, by, source, key)
		return d.Submit(ctx, s)
	}
	if !run.Status().Terminal() {
		return octopus.Run{}, false, octopus.Errorf(octopus.CodeConflict, "The run has not ended yet. Cancel it first, or wait.")
	}
	var failed []octopus.Execution
	err = d.eachExecution(ctx, runID, func(x octopus.Execution) error {
		if x.Status != octopus.Succeeded {
			failed = append(failed, x)
		}
		return nil
	})
	if err != nil {
		return octopus.Run{}, false, err
	}
	if len(failed) == 0 {
		return octopus.Run{}, false, octopus.Errorf(octopus.CodeConflict, "Nothing failed in this run. Retry all of it instead.")
	}
	return d.Submit(ctx, repeat(run, failed, by, source, key))
}

// repeat is a run's work again. Of its executions only those given; nil is all.
func repeat(run octopus.Run, only []octopus.Execution, by, source string, key *store.Idempotency) Submission {
	s := Submission{Work: run.Work, Labels: run.Labels, By: by, Source: source, RetryOf: run.ID, Key: key}
	if run.TaskID != "" {
		s.Task = &octopus.Task{ID: run.TaskID, Name: run.TaskName, Revision: run.TaskRevision}
	}
	if only == nil {
		return s
	}
	if run.Target.Mode == octopus.TargetAny || run.Target.Mode == "" {
		s.Target.Count = len(only)
		return s
	}
	for _, x := range only {
		s.Agents = append(s.Agents, x.BoundAgent)
	}
	return s
}

// RestartAgent asks an agent's process to finish what runs and start again. CodeConflict when it is not connected
// to this server.
func (d *Dispatcher) RestartAgent(_ context.Context, agentID, by string) error {
	d.mu.Lock()
	s := d.sessions[agentID]
	d.mu.Unlock()
	if s == nil || !s.send(&wire.Restart{Reason: "Asked for by " + by + "."}) {
		return octopus.Errorf(octopus.CodeConflict, "The agent is not connected, so it cannot be restarted from here.")
	}
	return nil
}
