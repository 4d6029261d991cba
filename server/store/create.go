package store

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"octopus/internal/octopus"
)

// fanOut is how many executions one transaction inserts.
const fanOut = 500

// CreateRun stores a run with its executions, events and counters in one transaction. Executions are queued, or
// offered already where the dispatcher had a credit. Beyond the first 500 the rest is stored as a plan that
// ExpandRun works off. With a key that was used before it returns the run of the first call and replay = true.
func (s *Store) CreateRun(ctx context.Context, n NewRun) (run octopus.Run, replay bool, err error) {
	var before string
	err = s.write(ctx, func(t *tx) error {
		if before, err = t.replayed(n.Key, n.Run.ID); err != nil || before != "" {
			return err
		}
		run, err = t.createRun(n)
		return err
	})
	if err == nil && before != "" {
		run, err = s.Run(ctx, before)
		return run, true, err
	}
	return run, false, err
}

// replayed looks a key up, and stores it with what the call is about to make. It returns the id of what the
// first call made, "" when this is the first.
func (t *tx) replayed(key *Idempotency, made string) (string, error) {
	if key == nil || key.Key == "" {
		return "", nil
	}
	n, err := t.exec("INSERT INTO idempotency (scope, key, body_hash, made, created_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		key.Scope, key.Key, notNil(key.BodyHash), made, micros(t.now))
	if err != nil || n == 1 {
		return "", t.store.fail("idempotency key", err)
	}
	var hash []byte
	err = t.row(context.Background(), "SELECT body_hash, made FROM idempotency WHERE scope = ? AND key = ?", key.Scope, key.Key).Scan(&hash, &made)
	if err != nil {
		return "", t.store.fail("idempotency key", err)
	}
	if !bytes.Equal(hash, key.BodyHash) {
		return "", keyUsed()
	}
	return made, nil
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (t *tx) createRun(n NewRun) (octopus.Run, error) {
	run := n.Run
	if run.CreatedAt.IsZero() {
		run.CreatedAt = t.now
	}
	run.CreatedAt = truncate(run.CreatedAt)
	run.Total = max(run.Total, len(n.Executions))
	now, later := n.Executions, []octopus.Execution(nil)
	if len(now) > fanOut {
		now, later = now[:fanOut], now[fanOut:]
	}
	run.Counts = make(octopus.Counts)
	for i := range now {
		run.Counts[now[i].Status]++
	}
	if err := t.insertRun(&run, later); err != nil {
		return run, t.store.fail("run", err)
	}
	spread := run.Target.Mode == octopus.TargetAny && len(n.Executions) > 1
	for i := range now {
		x := now[i] // a copy: the operation may run again
		x.RunID = run.ID
		if err := t.insertExecution(&x, &run, spread); err != nil {
			return run, t.store.fail("execution", err)
		}
		t.moves = append(t.moves, move{plugin: x.Plugin, to: x.Status})
	}
	t.hint("run:"+run.ID, run.ID)
	if run.TaskID != "" {
		t.hint("tasks", run.TaskID)
	}
	return run, nil
}

var insertExecutionSQL = "INSERT INTO executions (" + executionColumns + ", spread, due_at) VALUES (" + marks(fixedCount+movingCount+2) + ")"

// insertExecution stores an execution in its first state, with the events that say how it got there.
func (t *tx) insertExecution(x *octopus.Execution, run *octopus.Run, spread bool) error {
	if x.Status != octopus.Queued && x.Status != octopus.Offered {
		return fmt.Errorf("an execution begins queued or offered, not %s", x.Status)
	}
	if x.CreatedAt.IsZero() {
		x.CreatedAt = run.CreatedAt
	}
	if x.QueuedAt.IsZero() {
		x.QueuedAt = x.CreatedAt
	}
	moving := movingValues(x)
	args := append(fixedValues(x), moving[:movingCount]...)
	if _, err := t.exec(insertExecutionSQL, append(args, spread, moving[dueColumn])...); err != nil {
		return err
	}
	if x.Params != nil && !bytes.Equal(x.Params, run.Params) {
		if _, err := t.exec("INSERT INTO execution_payloads (execution_id, params, response) VALUES (?, ?, '')", x.ID, clean(string(x.Params))); err != nil {
			return err
		}
	}
	if x.Status == octopus.Offered { // its accept comes at once
		t.writer.cache.put(*x)
	}
	t.hint("executions", x.ID)
	t.addEvents(x, firstEvents(x))
	return nil
}

func firstEvents(x *octopus.Execution) []octopus.Event {
	queued := octopus.Event{Kind: "queued", Message: "Queued.", At: x.QueuedAt}
	if x.Waiting != nil {
		queued.Message = x.Waiting.Message
	}
	if x.Status != octopus.Offered {
		return []octopus.Event{queued}
	}
	return []octopus.Event{queued, {Kind: "offered", AgentID: x.AgentID, AgentName: x.AgentName,
		Message: "Offered to " + x.AgentName + ".", Attempt: x.Attempt, At: x.OfferedAt}}
}

// planned is an execution that is still to be inserted. Params are the run's.
type planned = octopus.Execution

// ExpandRun inserts the next 500 planned executions of a run and returns how many are left. It may be called
// again after a crash at any point: each call is one transaction.
func (s *Store) ExpandRun(ctx context.Context, runID string) (left int, err error) {
	err = s.write(ctx, func(t *tx) error {
		left, err = t.expandRun(runID)
		return err
	})
	return left, err
}

func (t *tx) expandRun(runID string) (left int, err error) {
	text, err := one[string](t.row(context.Background(), `SELECT coalesce(plan, '') FROM runs LEFT JOIN run_payloads ON run_id = runs.id
WHERE runs.id = ?`, runID))
	if err != nil {
		return 0, t.store.notFound(err, "run", runID)
	}
	if text == "" {
		return 0, nil
	}
	var plan []planned
	if err := json.Unmarshal([]byte(text), &plan); err != nil {
		return 0, fmt.Errorf("plan of run %s: %w", runID, err)
	}
	run, err := loadRun(context.Background(), t, runID)
	if err != nil {
		return 0, t.store.fail("run", err)
	}
	now, later := plan, []planned(nil)
	if len(now) > fanOut {
		now, later = now[:fanOut], now[fanOut:]
	}
	// The plan is the compare-and-set: a second server that expanded it meanwhile makes this change nothing.
	n, err := t.exec("UPDATE run_payloads SET plan = ? WHERE run_id = ? AND length(plan) = ?", encodePlan(later), runID, len([]rune(text)))
	if err != nil || n == 0 {
		return len(plan), t.store.fail("run", err)
	}
	for i := range now {
		now[i].RunID = runID
		if err := t.insertExecution(&now[i], &run, run.Target.Mode == octopus.TargetAny); err != nil {
			return 0, t.store.fail("execution", err)
		}
		t.moved(&now[i], "", now[i].Status)
	}
	t.hint("run:"+runID, runID)
	return len(later), nil
}

// UnexpandedRuns lists runs whose plan is not worked off yet, oldest first.
func (s *Store) UnexpandedRuns(ctx context.Context) ([]string, error) {
	ids, err := list(ctx, s.reads, one[string], "SELECT id FROM runs WHERE planned > 0 ORDER BY id LIMIT 1000")
	return ids, s.fail("runs", err)
}

func encodePlan(executions []planned) string {
	if len(executions) == 0 {
		return ""
	}
	lean := make([]planned, len(executions))
	for i := range executions {
		lean[i] = executions[i]
		lean[i].Params = nil // the run's
	}
	return encode(lean)
}
