package store

import (
	"context"
	"time"

	"octopus/internal/octopus"
)

// keyLife is how long an Idempotency-Key is remembered.
const keyLife = 24 * time.Hour

// hourLife is how long the hours of the roll-ups are kept. What ever ended stays counted.
const hourLife = 90 * 24 * time.Hour

// serverLife is how long a server that renews its lease no more is listed; see [Store.Servers].
const serverLife = 24 * time.Hour

// childTables hold rows of one execution.
var childTables = []string{"execution_payloads", "events", "attempts", "results", "artifacts", "evidence", "log_chunks"}

// Purge removes up to limit runs that ended before a time, with all that belongs to them, and returns how many.
// Roll-ups stay. Call it until it returns 0.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (int, error) {
	runs, err := list(ctx, s.reads, one[string],
		"SELECT id FROM runs WHERE id < ? AND finished_at > 0 AND finished_at < ? ORDER BY id LIMIT ?",
		octopus.PrefixRun+ulidTime(before.Add(time.Minute)), micros(before), bounded(limit))
	if err != nil {
		return 0, s.fail("old runs", err)
	}
	for _, id := range runs { // an operation each: a large one would keep others waiting
		if err := s.write(ctx, func(t *tx) error { return s.fail("old run", t.purgeRun(id)) }); err != nil {
			return 0, err
		}
	}
	return len(runs), nil
}

func (t *tx) purgeRun(id string) error {
	for _, table := range childTables {
		if _, err := t.exec("DELETE FROM "+table+" WHERE execution_id IN (SELECT id FROM executions WHERE run_id = ?)", id); err != nil {
			return err
		}
	}
	for _, query := range []string{"DELETE FROM executions WHERE run_id = ?", "DELETE FROM run_payloads WHERE run_id = ?", "DELETE FROM runs WHERE id = ?"} {
		if _, err := t.exec(query, id); err != nil {
			return err
		}
	}
	return nil
}

// PurgeExpired removes sessions, cache entries, plugins' values, keys and blobs whose time is over. Of what ended before a
// time it removes join tokens, revoked or expired, and a day later servers that do not renew their leases: agents keep the
// name of the token that they used, and the servers of their sessions.
func (s *Store) PurgeExpired(ctx context.Context, before time.Time) (Expired, error) {
	var e Expired
	err := s.write(ctx, func(t *tx) error {
		now := micros(t.now)
		for _, step := range []struct {
			count *int
			query string
			limit int64
		}{
			{&e.Sessions, "DELETE FROM sessions WHERE expires_at < ?", now},
			{&e.CacheEntries, "DELETE FROM cache_entries WHERE expires_at > 0 AND expires_at < ?", now},
			{&e.Values, "DELETE FROM plugin_values WHERE expires_at > 0 AND expires_at < ?", now},
			{&e.Keys, "DELETE FROM idempotency WHERE created_at < ?", micros(t.now.Add(-keyLife))},
			{&e.Blobs, "DELETE FROM blobs WHERE created_at < ?", micros(t.now.Add(-blobLife))},
			{&e.JoinTokens, "DELETE FROM join_tokens WHERE CASE WHEN revoked_at > 0 THEN revoked_at ELSE expires_at END BETWEEN 1 AND ?", micros(before)},
			{&e.Servers, "DELETE FROM servers WHERE renewed_at < ?", micros(before.Add(-serverLife))},
		} {
			n, err := t.exec(step.query, step.limit)
			if err != nil {
				return s.fail("expired rows", err)
			}
			*step.count = int(n)
		}
		if e.JoinTokens > 0 {
			t.hint("agents", "")
		}
		_, err := t.exec("DELETE FROM rollups WHERE hour > 0 AND hour < ?", micros(t.now.Add(-hourLife)))
		return s.fail("old roll-ups", err)
	})
	return e, err
}
