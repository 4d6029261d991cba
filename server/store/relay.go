package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"octopus/server/bus"
)

// Times and bounds of the hints that servers leave for each other in the database.
const (
	relayKept    = time.Minute      // a server that did not look for longer reads everything again
	relayPatient = 10 * time.Second // how long a number that is missing may still be on its way: a transaction that began earlier
	relayRows    = 1000             // read at a time
	relayMissing = 200              // numbers that may be missing; more: something was deleted before it was read
)

// distinct drops hints that say the same.
func (t *tx) distinct() {
	if len(t.hints) < 2 {
		return
	}
	seen := make(map[bus.Hint]struct{}, len(t.hints))
	kept := t.hints[:0]
	for _, hint := range t.hints {
		if _, twice := seen[hint]; !twice {
			seen[hint] = struct{}{}
			kept = append(kept, hint)
		}
	}
	t.hints = kept
}

// relay leaves the transaction's hints for other servers: one row a commit. With SQLite there are none.
func (t *tx) relay() error {
	if t.store.dialect != postgres || len(t.hints) == 0 {
		return nil
	}
	list := make([][2]string, 0, len(t.hints))
	for _, h := range t.hints {
		if !strings.HasPrefix(h.Topic, topicExecution) { // its execution is told by another hint, see expand
			list = append(list, [2]string{h.Topic, h.ID})
		}
	}
	body, err := json.Marshal(list)
	if err == nil {
		_, err = t.exec("INSERT INTO hints (writer, at, body) VALUES (?, ?, ?)", t.store.relayID, micros(t.now), string(body))
	}
	return err
}

const (
	topicExecutions = "executions"
	topicExecution  = "execution:"
)

// Relay reads what other servers left since the last reading. It is for one goroutine.
type Relay struct {
	store   *Store
	last    int64               // the highest number that was read
	missing map[int64]time.Time // lower numbers that were not there, and since when
	begun   bool
}

// Relay returns a reader that begins with what is left from now on. On SQLite it never has anything.
func (s *Store) Relay() *Relay { return &Relay{store: s, missing: make(map[int64]time.Time)} }

// Next returns the hints of other servers' commits since the last call, in no certain order. lost: there were others
// that cannot be read any more.
func (r *Relay) Next(ctx context.Context) (hints []bus.Hint, lost bool, err error) {
	s := r.store
	if s.dialect != postgres {
		return nil, false, nil
	}
	if !r.begun {
		if r.last, err = one[int64](s.reads.row(ctx, "SELECT coalesce(max(id), 0) FROM hints")); err != nil {
			return nil, false, s.fail("hints", err)
		}
		r.begun = true
		return nil, false, nil
	}
	if overdue := r.overdue(); len(overdue) > 0 {
		late, err := r.read(ctx, "SELECT id, writer, body FROM hints WHERE id IN ("+marks(len(overdue))+")", overdue...)
		if err != nil {
			return nil, false, err
		}
		for _, row := range late {
			delete(r.missing, row.id)
			hints = append(hints, row.hints...)
		}
	}
	for {
		rows, err := r.read(ctx, "SELECT id, writer, body FROM hints WHERE id > ? ORDER BY id LIMIT ?", r.last, relayRows)
		if err != nil {
			return nil, false, err
		}
		for _, row := range rows {
			lost = r.advance(row.id) || lost
			hints = append(hints, row.hints...)
		}
		if len(rows) < relayRows {
			return hints, lost, nil
		}
	}
}

// advance takes over a number and notes those that were skipped; true: too many to wait for.
func (r *Relay) advance(id int64) (lost bool) {
	if id-r.last > relayMissing || len(r.missing) > relayMissing {
		clear(r.missing)
		r.last, lost = id, true
		return lost
	}
	now := r.store.Now()
	for n := r.last + 1; n < id; n++ {
		r.missing[n] = now
	}
	r.last = id
	return false
}

// overdue lists what is missing, without what will not come any more: its transaction was undone.
func (r *Relay) overdue() []any {
	now := r.store.Now()
	list := make([]any, 0, len(r.missing))
	for n, since := range r.missing {
		if now.Sub(since) > relayPatient {
			delete(r.missing, n)
			continue
		}
		list = append(list, n)
	}
	return list
}

type relayed struct {
	id    int64
	hints []bus.Hint
}

func (r *Relay) read(ctx context.Context, query string, args ...any) ([]relayed, error) {
	rows, err := list(ctx, r.store.reads, func(row scanner) (out relayed, err error) {
		var writer, body string
		if err = row.Scan(&out.id, &writer, &body); err != nil || writer == r.store.relayID {
			return out, err
		}
		out.hints, err = expand(body)
		return out, err
	}, query, args...)
	return rows, r.store.fail("hints", err)
}

// expand is the inverse of what tx.relay leaves out.
func expand(body string) ([]bus.Hint, error) {
	var list [][2]string
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		return nil, err
	}
	hints := make([]bus.Hint, 0, 2*len(list))
	for _, h := range list {
		hints = append(hints, bus.Hint{Topic: h[0], ID: h[1]})
		if h[0] == topicExecutions && h[1] != "" {
			hints = append(hints, bus.Hint{Topic: topicExecution + h[1], ID: h[1]})
		}
	}
	return slices.Clip(hints), nil
}

// PurgeHints deletes what every living server has read.
func (s *Store) PurgeHints(ctx context.Context) error {
	if s.dialect != postgres {
		return nil
	}
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM hints WHERE at < ?", micros(t.now.Add(-relayKept)))
		return s.fail("old hints", err)
	})
}
