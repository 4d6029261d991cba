package store

import (
	"context"
	"encoding/json"
	"time"

	"octopus/internal/octopus"
)

const eventColumns = "execution_id, id, kind, agent_id, agent_name, message, duration, attempt, at"

// eventID returns an id that is unique within an execution and sorts by time: microseconds that only grow.
func (t *tx) eventID() int64 {
	for {
		last := t.store.lastEvent.Load()
		id := max(last+1, micros(t.now))
		if t.store.lastEvent.CompareAndSwap(last, id) {
			return id
		}
	}
}

// Events returns an execution's timeline, oldest first.
func (s *Store) Events(ctx context.Context, executionID string) ([]octopus.Event, error) {
	events, err := list(ctx, s.reads, scanEvent, "SELECT "+eventColumns+" FROM events WHERE execution_id = ? ORDER BY id", executionID)
	return events, s.fail("events", err)
}

func scanEvent(row scanner) (e octopus.Event, err error) {
	err = row.Scan(&e.ExecutionID, &e.ID, &e.Kind, &e.AgentID, &e.AgentName, &e.Message, durationInto{&e.Duration}, &e.Attempt, timeInto{&e.At})
	return e, err
}

const attemptColumns = "execution_id, number, fence, agent_id, agent_name, status, reason_code, reason_message, go_at, started_at, finished_at"

// Attempts returns an execution's attempts, first to last.
func (s *Store) Attempts(ctx context.Context, executionID string) ([]octopus.Attempt, error) {
	x, err := loadExecution(ctx, s.reads, executionID)
	if err != nil {
		return nil, s.notFound(err, "execution", executionID)
	}
	attempts, err := list(ctx, s.reads, scanAttempt, "SELECT "+attemptColumns+" FROM attempts WHERE execution_id = ? ORDER BY number", executionID)
	if err != nil {
		return nil, s.fail("attempts", err)
	}
	if running := runningAttempt(&x); running != nil && (len(attempts) == 0 || attempts[len(attempts)-1].Number < running.Number) {
		attempts = append(attempts, *running)
	}
	return attempts, nil
}

func scanAttempt(row scanner) (a octopus.Attempt, err error) {
	var code, message string
	err = row.Scan(&a.ExecutionID, &a.Number, &a.Fence, &a.AgentID, &a.AgentName, &a.Status, &code, &message,
		timeInto{&a.GoAt}, timeInto{&a.StartedAt}, timeInto{&a.FinishedAt})
	if code != "" || message != "" {
		a.Reason = &octopus.Reason{Code: code, Message: message}
	}
	return a, err
}

const putResultSQL = `INSERT INTO results (execution_id, name, value, at) VALUES (?, ?, ?, ?)
ON CONFLICT (execution_id, name) DO UPDATE SET value = excluded.value, at = excluded.at`

func (t *tx) putResult(executionID string, r *octopus.NamedResult) error {
	at := r.At
	if at.IsZero() {
		at = t.now
	}
	_, err := t.exec(putResultSQL, executionID, clean(r.Name), clean(string(r.Value)), micros(at))
	return err
}

// Results returns the named results of an execution, by name.
func (s *Store) Results(ctx context.Context, executionID string) ([]octopus.NamedResult, error) {
	results, err := list(ctx, s.reads, func(row scanner) (r octopus.NamedResult, err error) {
		err = row.Scan(&r.ExecutionID, &r.Name, rawInto{&r.Value}, timeInto{&r.At})
		return r, err
	}, "SELECT execution_id, name, value, at FROM results WHERE execution_id = ? ORDER BY name", executionID)
	return results, s.fail("results", err)
}

func (t *tx) addEvidence(executionID string, body json.RawMessage) error {
	_, err := t.exec("INSERT INTO evidence (execution_id, id, at, body) VALUES (?, ?, ?, ?)",
		executionID, t.eventID(), micros(t.now), clean(string(body)))
	return err
}

// Evidence returns the results that came after an execution had ended, oldest first.
func (s *Store) Evidence(ctx context.Context, executionID string) ([]Evidence, error) {
	evidence, err := list(ctx, s.reads, func(row scanner) (e Evidence, err error) {
		err = row.Scan(&e.ExecutionID, timeInto{&e.At}, rawInto{&e.Body})
		return e, err
	}, "SELECT execution_id, at, body FROM evidence WHERE execution_id = ? ORDER BY id", executionID)
	return evidence, s.fail("evidence", err)
}

const setProgress = "UPDATE executions SET progress = ? WHERE id = ? AND fence = ? AND status = 'running'"

// SaveProgress keeps how far a running execution says it is. A stale fence or an ended execution is no error:
// progress may be lost.
func (s *Store) SaveProgress(ctx context.Context, id string, fence int64, p octopus.Progress) error {
	return s.write(ctx, func(t *tx) error {
		t.writer.cache.forget(id)
		n, err := t.exec(setProgress, progressText(&p), id, fence)
		if err == nil && n > 0 {
			t.hint("execution:"+id, id)
			t.hint("executions", id)
		}
		return s.fail("progress", err)
	})
}

// truncate is how times are kept.
func truncate(at time.Time) time.Time { return at.UTC().Truncate(time.Microsecond) }
