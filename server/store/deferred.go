package store

import (
	"strings"

	"octopus/internal/octopus"
)

// rows collects rows of one table that a batch inserts, to insert many with one statement: half of what a small
// insert costs is the statement, not the row. No operation of the same batch may read them.
type rows struct {
	insert   string // "INSERT INTO … VALUES "
	marks    string // "(?, ?)"
	conflict string // what follows the rows
	width    int
	unique   int // leading values that must not repeat within one statement: the later row wins; 0: none do
	args     []any
}

// chunks are how many rows a statement inserts: few distinct texts, so that all stay prepared.
var chunks = [...]int{32, 8, 1}

func (r *rows) add(values ...any) { r.args = append(r.args, values...) }

// flush inserts what was collected.
func (r *rows) flush(t *tx) error {
	args := r.args
	if r.unique > 0 {
		args = r.latest()
	}
	for _, n := range chunks {
		for len(args) >= n*r.width {
			query := r.insert + r.marks + strings.Repeat(", "+r.marks, n-1) + r.conflict
			if _, err := t.exec(query, args[:n*r.width]...); err != nil {
				return err
			}
			args = args[n*r.width:]
		}
	}
	return nil
}

// latest keeps the last row of each key: PostgreSQL refuses to update a row twice in one statement.
func (r *rows) latest() []any {
	type key [2]any
	at := make(map[key]int)
	kept := make([]any, 0, len(r.args))
	for i := 0; i < len(r.args); i += r.width {
		row := r.args[i : i+r.width]
		var k key
		copy(k[:], row[:r.unique])
		if j, twice := at[k]; twice {
			copy(kept[j:], row)
			continue
		}
		at[k] = len(kept)
		kept = append(kept, row...)
	}
	return kept
}

// deferred is what a batch writes at its end.
type deferred struct {
	events    rows
	attempts  rows
	responses rows
}

func newDeferred() deferred {
	return deferred{
		events:    rows{insert: "INSERT INTO events (" + eventColumns + ") VALUES ", marks: "(" + marks(9) + ")", width: 9},
		attempts:  rows{insert: "INSERT INTO attempts (" + attemptColumns + ") VALUES ", marks: "(" + marks(11) + ")", conflict: attemptConflict, width: 11, unique: 2},
		responses: rows{insert: "INSERT INTO execution_payloads (execution_id, params, response) VALUES ", marks: "(?, '', ?)", conflict: responseConflict, width: 2, unique: 1},
	}
}

const attemptConflict = ` ON CONFLICT (execution_id, number) DO UPDATE SET fence = excluded.fence, agent_id = excluded.agent_id,
agent_name = excluded.agent_name, status = excluded.status, reason_code = excluded.reason_code,
reason_message = excluded.reason_message, go_at = excluded.go_at, started_at = excluded.started_at, finished_at = excluded.finished_at`

const responseConflict = " ON CONFLICT (execution_id) DO UPDATE SET response = excluded.response"

func (d *deferred) flush(t *tx) error {
	for _, r := range []*rows{&d.events, &d.attempts, &d.responses} {
		if err := r.flush(t); err != nil {
			return err
		}
	}
	return nil
}

// addEvents appends events to an execution's timeline.
func (t *tx) addEvents(x *octopus.Execution, events []octopus.Event) {
	for i := range events {
		e := &events[i]
		at := micros(e.At)
		if at == 0 {
			at = micros(t.now)
		}
		t.later.events.add(x.ID, t.eventID(), e.Kind, e.AgentID, clean(e.AgentName), clean(e.Message), e.Duration.Microseconds(), int64(e.Attempt), at)
	}
}

// putAttempt writes an attempt. One that has just begun is not a row yet: the execution's own row says all of it.
func (t *tx) putAttempt(next *octopus.Execution, a *octopus.Attempt) {
	if begun := runningAttempt(next); begun != nil && a.Status == octopus.Running && a.Reason == nil && a.Number == begun.Number &&
		a.Fence == begun.Fence && a.AgentID == begun.AgentID && a.GoAt.Equal(begun.GoAt) && a.FinishedAt.IsZero() {
		return
	}
	code, message := reasonText(a.Reason)
	t.later.attempts.add(next.ID, int64(a.Number), a.Fence, a.AgentID, clean(a.AgentName), string(a.Status), code, message,
		micros(a.GoAt), micros(a.StartedAt), micros(a.FinishedAt))
}

// runningAttempt is the attempt that an execution's row describes while it runs; nil otherwise.
func runningAttempt(x *octopus.Execution) *octopus.Attempt {
	if x.Status != octopus.Running || x.Attempt == 0 {
		return nil
	}
	return &octopus.Attempt{ExecutionID: x.ID, Number: x.Attempt, Fence: x.Fence, AgentID: x.AgentID, AgentName: x.AgentName,
		Status: octopus.Running, GoAt: x.GoAt, StartedAt: x.StartedAt}
}
