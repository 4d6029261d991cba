package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/seeded"
	"octopus/sdk/spec"
	"octopus/server/store"
)

// Limits of a submission.
const (
	maxCount      = 10_000
	maxAttempts   = 100
	maxDeadline   = 30 * 24 * time.Hour
	defaultMemory = 64 << 20
)

// Submission is work that somebody wants to run.
type Submission struct {
	octopus.Work
	Task    *octopus.Task // nil: ad hoc
	Labels  map[string]string
	By      string // user name
	Source  string // "ui", "api", "cli", "schedule", "demo"
	RetryOf string // the run that this one repeats
	Key     *store.Idempotency

	// Agents names the agents of a retry by id, one execution each, instead of resolving the target. Defaults to none.
	Agents []string
}

// Submit checks the work, resolves its target, stores the run and offers what it can at once. replay: Key was used
// before with the same body, and run is the first answer. After it returned without error the run is durable.
func (d *Dispatcher) Submit(ctx context.Context, s Submission) (run octopus.Run, replay bool, err error) {
	p, err := d.prepare(ctx, s)
	if err != nil {
		return octopus.Run{}, false, err
	}
	if err := d.resolve(ctx, s, &p); err != nil {
		return octopus.Run{}, false, err
	}
	p.place(d)
	if seeded.Is(seeded.AckBeforeCommit) {
		d.background(p.run.ID, func(ctx context.Context) {
			_, _, _ = d.store.CreateRun(ctx, store.NewRun{Run: p.run, Executions: p.executions, Key: s.Key})
		})
		return p.run, false, nil
	}
	d.waiters.began(p.run.ID)
	run, replay, err = d.store.CreateRun(ctx, store.NewRun{Run: p.run, Executions: p.executions, Key: s.Key})
	if err != nil || replay {
		d.waiters.forget(p.run.ID)
		d.release(p.offered)
		return run, replay, err
	}
	d.sendOffers(ctx, p.offered)
	for _, x := range p.executions {
		if x.Status == octopus.Queued {
			d.queued(x)
		}
	}
	if len(p.executions) > expandAt {
		d.expand(run.ID)
	}
	return run, false, nil
}

// prepared is a submission on its way: the run, its executions, and what they have in common.
type preparedRun struct {
	rules      rules
	run        octopus.Run
	model      octopus.Execution // what all executions share
	executions []octopus.Execution
	offered    []octopus.Execution // those that were placed; a credit is reserved for each
	newID      func(prefix string, now time.Time) string
}

// prepare checks the work against the plugin and fills in defaults.
func (d *Dispatcher) prepare(ctx context.Context, s Submission) (preparedRun, error) {
	if s.By == "" && s.Task != nil {
		s.By = s.Task.Owner // nobody asked for it now: it runs for the owner
	}
	id := d.newID(octopus.PrefixRun, d.store.Now())
	v, onTrial, err := d.cfg.Catalog.Choose(ctx, s.Plugin, s.Version, id)
	if err != nil {
		return preparedRun{}, err
	}
	m, err := d.cfg.Catalog.Manifest(ctx, v.Digest)
	if err != nil {
		return preparedRun{}, err
	}
	params, err := d.cfg.Catalog.Check(ctx, v, s.Action, s.Params)
	if err != nil {
		return preparedRun{}, err
	}
	if missing := d.cfg.Catalog.MissingGrants(ctx, v); len(missing) > 0 {
		return preparedRun{}, octopus.InvalidField("/plugin", "%s Grant it on the plugin's page, or with octopus plugins grant %s.", missing[0], v.Plugin)
	}
	if missing := d.cfg.Catalog.MissingSecrets(ctx, v, s.Action); len(missing) > 0 {
		return preparedRun{}, octopus.InvalidField("/plugin", "%s", missing[0])
	}
	if _, err := d.cfg.Catalog.Config(ctx, v); err != nil {
		return preparedRun{}, err
	}
	if _, err := d.facts(ctx, v.Digest); err != nil { // from the database: what the catalogue remembers may be older
		return preparedRun{}, err
	}
	idempotent := idempotentAction(m, s.Action)
	if err := d.checkWork(s.Work, idempotent); err != nil {
		return preparedRun{}, err
	}
	work := s.Work
	work.Version, work.Params = v.Version, params
	if work.Target.Mode == "" {
		work.Target.Mode = octopus.TargetAny
	}
	model := d.modelOf(s, work, v, m, idempotent)
	model.OnTrial = onTrial && !work.DryRun
	return preparedRun{rules: d.rules, run: d.runOf(id, s, work, v), model: model, newID: d.newID}, nil
}

func idempotentAction(m spec.Manifest, action string) bool {
	for _, a := range m.Actions {
		if a.Name == action {
			return a.Idempotent
		}
	}
	return false
}

// checkWork refuses policies that make no sense.
func (d *Dispatcher) checkWork(w octopus.Work, idempotent bool) error {
	switch {
	case w.OnLost != "" && w.OnLost != octopus.OnLostFail && w.OnLost != octopus.OnLostRetry:
		return octopus.InvalidField("/on_lost", "on_lost is fail or retry.")
	case w.OnLost == octopus.OnLostRetry && !idempotent:
		return octopus.InvalidField("/on_lost", "on_lost retry needs an action that declares itself idempotent, and %s of %s does not. Use fail.", w.Action, w.Plugin)
	case w.Timeout < 0 || w.Deadline < 0 || w.WaitTTL < 0 || w.LostAfter < 0:
		return octopus.InvalidField("/timeout_seconds", "Times cannot be negative.")
	case w.Timeout > d.cfg.MaxTimeout:
		return octopus.InvalidField("/timeout_seconds", "The timeout is above this server's limit of %s.", short(d.cfg.MaxTimeout))
	case w.Deadline > maxDeadline || w.WaitTTL > maxDeadline || w.LostAfter > maxDeadline:
		return octopus.InvalidField("/deadline_seconds", "A deadline or wait is at most 30 days.")
	case w.MaxAttempts < 0 || w.MaxAttempts > maxAttempts:
		return octopus.InvalidField("/max_attempts", "An execution has 1 to %d attempts.", maxAttempts)
	case w.Target.Count < 0 || w.Target.Count > maxCount:
		return octopus.InvalidField("/target/count", "A target of any counts 1 to %d agents.", maxCount)
	}
	if err := octopus.CheckSandbox(w.Sandbox); err != nil {
		return err
	}
	return octopus.CheckRepeat(w.Repeat)
}

func (d *Dispatcher) runOf(id string, s Submission, w octopus.Work, v octopus.PluginVersion) octopus.Run {
	now := d.store.Now()
	run := octopus.Run{
		ID: id, Work: w, Digest: v.Digest, Labels: s.Labels, RetryOf: s.RetryOf,
		CreatedBy: s.By, Source: s.Source, CreatedAt: now,
	}
	if s.Task != nil {
		run.TaskID, run.TaskName, run.TaskRevision = s.Task.ID, s.Task.Name, s.Task.Revision
	}
	return run
}

// modelOf is what every execution of the run has in common.
func (d *Dispatcher) modelOf(s Submission, w octopus.Work, v octopus.PluginVersion, m spec.Manifest, idempotent bool) octopus.Execution {
	now := d.store.Now()
	x := octopus.Execution{
		Plugin: v.Plugin, PluginVersion: v.Version, Digest: v.Digest, Action: w.Action, Params: w.Params,
		Status: octopus.Queued, Fence: d.rules.floor, MaxAttempts: max(w.MaxAttempts, 1), OnLost: w.OnLost, Idempotent: idempotent,
		Priority: w.Priority, Memory: uint64(m.Limits.Memory), Timeout: w.Timeout, LostAfter: w.LostAfter,
		Fuel:      min(orElse(w.Fuel, m.Limits.Fuel), math.MaxInt64),
		CreatedAt: now, QueuedAt: now, CreatedBy: s.By, RetryOf: s.RetryOf, DryRun: w.DryRun,
		Sandbox: w.Sandbox, Repeat: w.Repeat,
	}
	if s.Task != nil {
		x.TaskID, x.TaskName = s.Task.ID, s.Task.Name
	}
	if x.OnLost == "" {
		x.OnLost = octopus.OnLostFail
	}
	if x.Timeout == 0 {
		x.Timeout = min(orElse(time.Duration(m.Limits.Timeout), d.cfg.Timeout), d.cfg.MaxTimeout)
	}
	x.Memory = orElse(x.Memory, defaultMemory)
	if x.LostAfter == 0 {
		x.LostAfter = d.cfg.LostAfter
		if x.OnLost == octopus.OnLostRetry {
			x.LostAfter = d.cfg.LostAfterRetry
		}
	}
	if w.Deadline > 0 {
		x.DeadlineAt = now.Add(w.Deadline)
	}
	return x
}

func orElse[T comparable](value, standard T) T {
	var zero T
	if value == zero {
		return standard
	}
	return value
}

// TaskChanges are what one run of a saved task has other than the task. The zero value changes nothing.
type TaskChanges struct {
	Params  json.RawMessage       // nil: the task's own
	DryRun  bool                  // or as the task says
	Sandbox *octopus.SandboxLevel // nil: the task's own; whoever may not run ad hoc has no say in it
	Repeat  *octopus.Repeat       // nil: the task's own; the same
}

// apply returns the work of a task as this run has it.
func (c TaskChanges) apply(work octopus.Work) octopus.Work {
	if c.Params != nil {
		work.Params = c.Params
	}
	work.DryRun = work.DryRun || c.DryRun
	if c.Sandbox != nil {
		work.Sandbox = *c.Sandbox
	}
	if c.Repeat != nil {
		work.Repeat = *c.Repeat
	}
	return work
}

// RunTask submits a saved task.
func (d *Dispatcher) RunTask(ctx context.Context, idOrName string, c TaskChanges, by, source string, key *store.Idempotency) (octopus.Run, bool, error) {
	task, err := d.store.Task(ctx, idOrName)
	if err != nil {
		return octopus.Run{}, false, err
	}
	if !task.Enabled {
		return octopus.Run{}, false, octopus.Errorf(octopus.CodeConflict, "The task %s is disabled. Enable it to run it.", task.Name)
	}
	return d.Submit(ctx, Submission{Work: c.apply(task.Work), Task: &task, Labels: task.Labels, By: by, Source: source, Key: key})
}

// expandAt is how many executions the store inserts with the run; the rest follows in steps.
const expandAt = 500

// expand inserts the rest of a large fan-out, and wakes the claimer after each step.
func (d *Dispatcher) expand(runID string) {
	d.background("expand "+runID, func(ctx context.Context) {
		for {
			left, err := d.store.ExpandRun(ctx, runID)
			d.backlogUnknown()
			if err != nil {
				d.cfg.Log.Error("fan-out stopped", "run", runID, "err", fmt.Errorf("expand: %w", err))
				return // the sweeper tries again
			}
			if left <= 0 {
				return
			}
		}
	})
}
