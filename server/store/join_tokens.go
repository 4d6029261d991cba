package store

import (
	"context"

	"octopus/internal/octopus"
)

const joinTokenColumns = "id, name, hash, labels, uses, max_uses, created_at, created_by, expires_at, revoked_at"

func scanJoinToken(row scanner) (t octopus.JoinToken, err error) {
	err = row.Scan(&t.ID, &t.Name, &t.Hash, jsonInto{&t.Labels}, &t.Uses, &t.MaxUses, timeInto{&t.CreatedAt}, &t.CreatedBy,
		timeInto{&t.ExpiresAt}, timeInto{&t.RevokedAt})
	return t, err
}

// CreateJoinToken stores a token by the hash of its secret.
func (s *Store) CreateJoinToken(ctx context.Context, token octopus.JoinToken) error {
	return s.write(ctx, func(t *tx) error {
		if token.CreatedAt.IsZero() {
			token.CreatedAt = t.now
		}
		_, err := t.exec("INSERT INTO join_tokens ("+joinTokenColumns+") VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, 0)",
			token.ID, clean(token.Name), token.Hash, clean(encodeMap(token.Labels)), int64(token.MaxUses), micros(token.CreatedAt),
			clean(token.CreatedBy), micros(token.ExpiresAt))
		if isUnique(err) {
			return octopus.Errorf(octopus.CodeConflict, "That join token exists already.")
		}
		t.hint("agents", "")
		return s.fail("join token", err)
	})
}

// JoinTokens lists the join tokens, the newest first.
func (s *Store) JoinTokens(ctx context.Context) ([]octopus.JoinToken, error) {
	tokens, err := list(ctx, s.reads, scanJoinToken, "SELECT "+joinTokenColumns+" FROM join_tokens ORDER BY id DESC")
	return tokens, s.fail("join tokens", err)
}

// RevokeJoinToken refuses a token from now on. Agents that used it stay.
func (s *Store) RevokeJoinToken(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE join_tokens SET revoked_at = CASE WHEN revoked_at = 0 THEN ? ELSE revoked_at END WHERE id = ?", micros(t.now), id)
		if err == nil && n == 0 {
			return octopus.Errorf(octopus.CodeNotFound, "There is no join token %q.", id)
		}
		t.hint("agents", "")
		return s.fail("join token", err)
	})
}

// RemoveJoinToken deletes a token as if it had never been. Agents that used it stay.
func (s *Store) RemoveJoinToken(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM join_tokens WHERE id = ?", id)
		t.hint("agents", "")
		return s.fail("join token", err)
	})
}
