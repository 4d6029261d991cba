package store

import (
	"bytes"
	"context"

	"octopus/internal/octopus"
)

// Remember claims an idempotency key for the thing that the caller is about to make with the id made, for
// creates whose own operation takes no key. It returns made, or the id that an earlier call with the same key
// and body claimed; another body is CodeConflict. Who then fails to make the thing calls Forget.
func (s *Store) Remember(ctx context.Context, key Idempotency, made string) (string, error) {
	var before string
	err := s.write(ctx, func(t *tx) (err error) {
		before, err = t.replayed(&key, made)
		return err
	})
	if before != "" {
		return before, err
	}
	return made, err
}

// Forget gives back a key that Remember claimed for made. Another claim of the same key stays.
func (s *Store) Forget(ctx context.Context, key Idempotency, made string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM idempotency WHERE scope = ? AND key = ? AND made = ?", key.Scope, key.Key, made)
		return t.store.fail("idempotency key", err)
	})
}

// Replayed returns the run that an earlier call with the same key and body made; false: this is the first call, or
// there is no key. Another body is CodeConflict. [Store.CreateRun] decides: calls at the same time both find nothing.
func (s *Store) Replayed(ctx context.Context, key *Idempotency) (octopus.Run, bool, error) {
	if key == nil || key.Key == "" {
		return octopus.Run{}, false, nil
	}
	var hash []byte
	var made string
	err := s.reads.row(ctx, "SELECT body_hash, made FROM idempotency WHERE scope = ? AND key = ?", key.Scope, key.Key).Scan(&hash, &made)
	switch {
	case isNoRow(err):
		return octopus.Run{}, false, nil
	case err != nil:
		return octopus.Run{}, false, s.fail("idempotency key", err)
	case !bytes.Equal(hash, key.BodyHash):
		return octopus.Run{}, false, keyUsed()
	}
	run, err := s.Run(ctx, made)
	return run, err == nil, err
}

// keyUsed refuses a key that came with another body before.
func keyUsed() error {
	return octopus.Errorf(octopus.CodeConflict,
		"This Idempotency-Key was used for another request. Use a new key, or send the same body again.")
}
