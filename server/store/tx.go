package store

import (
	"context"
	"database/sql"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
)

// tx is one transaction of the writer, shared by the operations of a batch. What an operation wants to happen
// beside its own rows (counters, roll-ups, hints) is collected and written once a batch.
type tx struct {
	writer *writer
	store  *Store
	now    time.Time // one for the whole transaction
	dirty  bool      // the running operation has written

	hints []bus.Hint
	moves []move
	later deferred
}

// mark remembers how much was collected, so that a failed operation leaves nothing behind.
type mark struct{ hints, moves, events, attempts, responses int }

func (t *tx) mark() mark {
	return mark{len(t.hints), len(t.moves), len(t.later.events.args), len(t.later.attempts.args), len(t.later.responses.args)}
}

func (t *tx) reset(m mark) {
	t.hints, t.moves = t.hints[:m.hints], t.moves[:m.moves]
	t.later.events.args = t.later.events.args[:m.events]
	t.later.attempts.args = t.later.attempts.args[:m.attempts]
	t.later.responses.args = t.later.responses.args[:m.responses]
}

// exec runs a statement that writes and returns how many rows it changed.
func (t *tx) exec(query string, args ...any) (int64, error) {
	t.dirty = true
	statement, err := t.writer.prepare(query)
	if err != nil {
		return 0, err
	}
	result, err := statement.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// query reads in the transaction. The context is not used: an interrupted statement would fail its neighbours.
func (t *tx) query(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	statement, err := t.writer.prepare(query)
	if err != nil {
		return nil, err
	}
	return statement.QueryContext(context.Background(), args...)
}

func (t *tx) row(_ context.Context, query string, args ...any) scanner {
	statement, err := t.writer.prepare(query)
	if err != nil {
		return failedRow{err}
	}
	return statement.QueryRowContext(context.Background(), args...)
}

// hint announces a change after the commit.
func (t *tx) hint(topic, id string) {
	if t.store.bus != nil {
		t.hints = append(t.hints, bus.Hint{Topic: topic, ID: id})
	}
}

// publish sends the hints.
func (t *tx) publish() {
	if len(t.hints) == 0 {
		return
	}
	for _, hint := range t.hints {
		if hint.Topic == topicPlugins {
			t.store.pluginChanges.Add(1)
			break
		}
	}
	t.store.bus.Publish(t.hints...)
}

// move is an execution of a run that came into a state, from another or, with "", from the plan.
type move struct {
	run, plugin string
	from, to    octopus.Status
	at          time.Time
	trial       string // the digest whose outcomes count it, "" for none
	failed      bool
}

// moved notes that an execution changed its state, for the counters of its run, the roll-ups, and the comparison of
// versions in rings. x is as it is now.
func (t *tx) moved(x *octopus.Execution, from, to octopus.Status) {
	if from == to {
		return
	}
	m := move{run: x.RunID, plugin: x.Plugin, from: from, to: to, at: t.now}
	if failed, counts := x.Blames(); x.OnTrial && counts {
		m.trial, m.failed = x.Digest, failed
	}
	t.moves = append(t.moves, m)
}
