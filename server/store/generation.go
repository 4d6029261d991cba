package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"octopus/internal/octopus"
)

// Restore is what a database knows of the latest restore of a backup into it. Its generation is part of every fence
// and session epoch given since: what agents were told by the database that is gone stays older than all of it.
type Restore struct {
	Generation int64     `json:"generation"` // grows with each restore; 0: never restored
	BackupAt   time.Time `json:"backup_at"`  // when the backup was made
	RestoredAt time.Time `json:"restored_at"`
	Requeue    bool      `json:"requeue"` // nothing ran since the backup: what waited then waits again
	Settled    bool      `json:"settled"` // dispatch has decided about what waited
}

// fenceBits is how many fences an execution has within a generation before it reaches into the next: 8 million, where
// an offer that comes to nothing takes seconds. Generations are seconds since 2026, so that fences stay below 2⁵³,
// which JSON numbers hold everywhere, until 2060.
const fenceBits = 23

// generationZero is where generations count from. A generation is a time, so that one is never given twice, not even
// after the same backup was restored twice.
var generationZero = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// Floor is above every fence and session epoch that was given before the restore, and below every one since.
func (r Restore) Floor() int64 { return r.Generation << fenceBits }

// restoreKey is where the latest restore is kept.
const restoreKey = "restore"

// Restore returns the latest restore, as of when the store was opened.
func (s *Store) Restore() Restore { return s.restore }

func (s *Store) loadRestore(ctx context.Context) error {
	text, err := s.Meta(ctx, restoreKey)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), &s.restore); err != nil {
		return fmt.Errorf("latest restore: %w", err)
	}
	return nil
}

// MarkRestored says that this database was put back from a backup that was made at backupAt. It raises the generation
// above the database's own and above after, ends the agents' sessions, and signs every browser out. No server may
// work on the database; the next one settles what waited in it.
func (s *Store) MarkRestored(ctx context.Context, backupAt time.Time, after int64, requeue bool) (Restore, error) {
	var next Restore
	err := s.write(ctx, func(t *tx) error {
		next = Restore{BackupAt: backupAt, RestoredAt: t.now, Requeue: requeue}
		next.Generation = max(s.restore.Generation+1, after+1, int64(t.now.Sub(generationZero)/time.Second))
		for _, q := range []struct {
			query string
			args  []any
		}{
			{"INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", []any{restoreKey, encode(next)}},
			{"UPDATE agents SET session_epoch = ?, disconnected_at = CASE WHEN server_id = '' THEN disconnected_at ELSE ? END, server_id = ''",
				[]any{next.Floor(), micros(t.now)}},
			{"UPDATE agent_sessions SET disconnected_at = ?, cause = 'the database was restored from a backup' WHERE disconnected_at = 0", []any{micros(t.now)}},
			{"DELETE FROM servers", nil},
			{"DELETE FROM sessions", nil},
		} {
			if _, err := t.exec(q.query, q.args...); err != nil {
				return s.fail("restore", err)
			}
		}
		return nil
	})
	if err == nil {
		s.restore = next
	}
	return next, err
}

// RestoreSettled notes that what waited in a restored database was decided about.
func (s *Store) RestoreSettled(ctx context.Context) error {
	done := s.restore
	done.Settled = true
	if err := s.SetMeta(ctx, restoreKey, encode(done)); err != nil {
		return err
	}
	s.restore = done
	return nil
}

// Name is the database in a sentence: the path of a file, or the address of a PostgreSQL server without its password.
func (s *Store) Name() string { return s.name }
