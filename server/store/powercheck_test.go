package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// verdict is what is wrong with a database after a cut.
type verdict struct {
	cut    int
	wrongs []string
}

func (v *verdict) wrong(format string, args ...any) {
	v.wrongs = append(v.wrongs, fmt.Sprintf(format, args...))
}

// check compares a database with what clients were told before a cut: all that was answered is there, what was
// asked for is there whole or not at all, and nothing else is.
func (h *history) check(t *testing.T, s *store.Store, db *sql.DB, cut int) []string {
	v := &verdict{cut: cut}
	ctx := t.Context()
	var integrity string
	if err := db.QueryRowContext(ctx, "PRAGMA integrity_check").Scan(&integrity); err != nil || integrity != "ok" {
		v.wrong("integrity_check says %q, %v", integrity, err)
		return v.wrongs
	}
	if n, err := count(ctx, db, "SELECT count(*) FROM pragma_foreign_key_check"); err != nil || n != 0 {
		v.wrong("%d broken references: %v", n, err)
	}
	contradictions, err := storetest.Recount(ctx, db)
	if err != nil {
		v.wrong("recount: %v", err)
	}
	v.wrongs = append(v.wrongs, contradictions...)
	for _, part := range []func(context.Context, *store.Store, *sql.DB, *verdict) error{h.checkExecutions, h.checkKeys, h.checkLogs, h.checkBlobs} {
		if err := part(ctx, s, db, v); err != nil {
			v.wrong("reading: %v", err)
		}
	}
	return v.wrongs
}

func count(ctx context.Context, db *sql.DB, query string, args ...any) (n int, err error) {
	err = db.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}

// stored is an execution with what belongs to it.
type stored struct {
	face, response, result string
	events                 int
}

// face is what an execution looks like from outside.
func face(x *octopus.Execution) string {
	reason := ""
	if x.Reason != nil {
		reason = x.Reason.Code
	}
	return fmt.Sprint(x.Status, " fence ", x.Fence, " attempt ", x.Attempt, " on ", x.AgentID, " ", x.StatusCode, " ", x.Message, " ", reason,
		" ", x.QueuedAt.UnixMicro(), " ", max(x.OfferedAt.UnixMicro(), 0), " ", max(x.GoAt.UnixMicro(), 0), " ", max(x.FinishedAt.UnixMicro(), 0))
}

const storedSQL = `SELECT id, status, fence, attempt, agent_id, status_code, message, reason_code, queued_at, offered_at, go_at, finished_at,
coalesce((SELECT response FROM execution_payloads WHERE execution_id = id), ''), coalesce((SELECT value FROM results r WHERE r.execution_id = executions.id), ''),
(SELECT count(*) FROM events e WHERE e.execution_id = executions.id) FROM executions`

func readExecutions(ctx context.Context, db *sql.DB) (map[string]stored, error) {
	rows, err := db.QueryContext(ctx, storedSQL)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := map[string]stored{}
	for rows.Next() {
		var id, status, agent, message, reason string
		var fence, queued, offered, goAt, finished int64
		var attempt, code int
		var s stored
		if err := rows.Scan(&id, &status, &fence, &attempt, &agent, &code, &message, &reason, &queued, &offered, &goAt, &finished,
			&s.response, &s.result, &s.events); err != nil {
			return nil, err
		}
		s.face = fmt.Sprint(status, " fence ", fence, " attempt ", attempt, " on ", agent, " ", code, " ", message, " ", reason,
			" ", queued, " ", offered, " ", goAt, " ", finished)
		found[id] = s
	}
	return found, rows.Err()
}

func (h *history) checkExecutions(ctx context.Context, _ *store.Store, db *sql.DB, v *verdict) error {
	found, err := readExecutions(ctx, db)
	if err != nil {
		return err
	}
	for id, answers := range h.executions {
		s, there := found[id]
		delete(found, id)
		h.checkExecution(id, answers, s, there, v)
	}
	for id := range found {
		v.wrong("%s was never asked for", id)
	}
	return nil
}

// checkExecution: an execution is as the newest answer before the cut told it, or one later that was asked for.
func (h *history) checkExecution(id string, answers []told, s stored, there bool, v *verdict) {
	if !there {
		if answers[0].must(v.cut) {
			v.wrong("LOST: %s was acknowledged and is gone", id)
		}
		return
	}
	newest, matches := 0, -1
	for i := range answers {
		if answers[i].must(v.cut) {
			newest = i
		}
		if answers[i].may(v.cut) && face(&answers[i].x) == s.face {
			matches = i
		}
	}
	switch {
	case matches < 0:
		v.wrong("%s is as nobody was told: %s", id, s.face)
		return
	case matches < newest:
		v.wrong("LOST: %s went back to %s from %s", id, s.face, face(&answers[newest].x))
		return
	}
	x := &answers[matches].x
	if x.Status == octopus.Succeeded && (s.result != `"`+id+`"` || !strings.HasSuffix(s.response, ` of `+id+`"}`)) {
		v.wrong("%s succeeded without its result: %.40q, %q", id, s.response, s.result)
	}
	if x.Status != octopus.Succeeded && s.result != "" {
		v.wrong("%s is %s and has a result", id, x.Status)
	}
	if events := eventsOf(answers[:matches+1]); s.events != events {
		v.wrong("%s has %d events, not %d", id, s.events, events)
	}
}

// eventsOf is how many events these answers made: each that changed something one, and being created offered two.
func eventsOf(answers []told) int {
	n := 1
	if answers[0].x.Status == octopus.Offered {
		n = 2
	}
	for i := 1; i < len(answers); i++ {
		if face(&answers[i].x) != face(&answers[i-1].x) {
			n++
		}
	}
	return n
}

func (h *history) checkKeys(ctx context.Context, _ *store.Store, db *sql.DB, v *verdict) error {
	for key, s := range h.keys {
		n, err := count(ctx, db, "SELECT count(*) FROM idempotency WHERE scope = 'test' AND key = ?", key)
		if err != nil {
			return err
		}
		if runs, err := count(ctx, db, "SELECT count(*) FROM runs WHERE id = ?", key); err != nil || n != runs {
			v.wrong("%d keys of %d runs %s: %v", n, runs, key, err)
		}
		if n == 0 && s.must(v.cut) {
			v.wrong("LOST: the key of %s", key)
		}
	}
	return nil
}

func (h *history) checkLogs(ctx context.Context, s *store.Store, db *sql.DB, v *verdict) error {
	there := 0
	for i := range h.chunks {
		c := &h.chunks[i]
		chunks, err := s.Logs(ctx, c.ExecutionID, c.Seq-1, 1)
		if err != nil {
			return err
		}
		if len(chunks) == 0 || chunks[0].Seq != c.Seq {
			if c.must(v.cut) {
				v.wrong("LOST: chunk %d of %s", c.Seq, c.ExecutionID)
			}
			continue
		}
		there++
		if got := chunks[0].Lines; len(got) != 1 || got[0] != c.Lines[0] {
			v.wrong("chunk %d of %s is another: %v", c.Seq, c.ExecutionID, got)
		}
	}
	n, err := count(ctx, db, "SELECT count(*) FROM log_chunks")
	if n != there {
		v.wrong("%d chunks, %d of which were sent", n, there)
	}
	return err
}

func (h *history) checkBlobs(ctx context.Context, s *store.Store, _ *sql.DB, v *verdict) error {
	for sha, b := range h.blobs {
		data, err := s.Blob(ctx, sha)
		switch {
		case octopus.CodeOf(err) == octopus.CodeNotFound:
			if b.must(v.cut) {
				v.wrong("LOST: blob %s", sha)
			}
		case err != nil:
			return err
		case !bytes.Equal(data, b.data):
			v.wrong("blob %s is another", sha)
		}
	}
	return nil
}
