package store

import "context"

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
