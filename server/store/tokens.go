package store

import (
	"context"
	"time"

	"octopus/internal/octopus"
)

const userSessionColumns = "id, hash, user_id, created_at, expires_at, user_agent, remote_ip"

func scanSession(row scanner) (v octopus.Session, err error) {
	err = row.Scan(&v.ID, &v.Hash, &v.UserID, timeInto{&v.CreatedAt}, timeInto{&v.ExpiresAt}, &v.UserAgent, &v.RemoteIP)
	return v, err
}

// CreateSession stores a signed-in browser by the hash of its cookie.
func (s *Store) CreateSession(ctx context.Context, v octopus.Session) error {
	return s.write(ctx, func(t *tx) error {
		if v.CreatedAt.IsZero() {
			v.CreatedAt = t.now
		}
		_, err := t.exec("INSERT INTO sessions ("+userSessionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?)", v.ID, v.Hash, v.UserID, micros(v.CreatedAt),
			micros(v.ExpiresAt), shorten(v.UserAgent, maxMessage), v.RemoteIP)
		if isForeign(err) {
			return octopus.Errorf(octopus.CodeNotFound, "There is no user %q.", v.UserID)
		}
		return s.fail("session", err)
	})
}

// SessionByHash returns a session that has not expired.
func (s *Store) SessionByHash(ctx context.Context, hash []byte) (octopus.Session, error) {
	v, err := scanSession(s.reads.row(ctx, "SELECT "+userSessionColumns+" FROM sessions WHERE hash = ? AND expires_at > ?", hash, micros(s.Now())))
	if isNoRow(err) {
		return v, octopus.Errorf(octopus.CodeNotFound, "This session has ended. Sign in again.")
	}
	return v, s.fail("session", err)
}

// ExtendSession moves a session's end.
func (s *Store) ExtendSession(ctx context.Context, id string, expires time.Time) error {
	return s.change(ctx, "session", "UPDATE sessions SET expires_at = ? WHERE id = ?", micros(expires), id)
}

// DeleteSession ends a session. One that has ended already is no error.
func (s *Store) DeleteSession(ctx context.Context, id string) error {
	return s.change(ctx, "session", "DELETE FROM sessions WHERE id = ?", id)
}

// DeleteUserSessions ends all sessions of a user but one ("" ends all).
func (s *Store) DeleteUserSessions(ctx context.Context, userID, exceptID string) error {
	return s.change(ctx, "sessions", "DELETE FROM sessions WHERE user_id = ? AND id <> ?", userID, exceptID)
}

// change runs one statement whose effect on no row is no error, and tells the caches of sessions.
func (s *Store) change(ctx context.Context, what, query string, args ...any) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec(query, args...)
		t.hint("cache:sessions", "")
		return s.fail(what, err)
	})
}

// UserSessions lists a user's sessions that have not expired, the newest first.
func (s *Store) UserSessions(ctx context.Context, userID string) ([]octopus.Session, error) {
	sessions, err := list(ctx, s.reads, scanSession,
		"SELECT "+userSessionColumns+" FROM sessions WHERE user_id = ? AND expires_at > ? ORDER BY created_at DESC", userID, micros(s.Now()))
	return sessions, s.fail("sessions", err)
}

const tokenColumns = "id, name, hash, user_id, role, created_at, expires_at, last_used, revoked_at"

func scanToken(row scanner) (v octopus.Token, err error) {
	err = row.Scan(&v.ID, &v.Name, &v.Hash, &v.UserID, &v.Role, timeInto{&v.CreatedAt}, timeInto{&v.ExpiresAt}, timeInto{&v.LastUsed}, timeInto{&v.RevokedAt})
	return v, err
}

// CreateToken stores an API token by the hash of its secret.
func (s *Store) CreateToken(ctx context.Context, v octopus.Token) error {
	return s.write(ctx, func(t *tx) error {
		if v.CreatedAt.IsZero() {
			v.CreatedAt = t.now
		}
		_, err := t.exec("INSERT INTO tokens ("+tokenColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0)", v.ID, clean(v.Name), v.Hash, v.UserID, string(v.Role),
			micros(v.CreatedAt), micros(v.ExpiresAt))
		switch {
		case isForeign(err):
			return octopus.Errorf(octopus.CodeNotFound, "There is no user %q.", v.UserID)
		case isUnique(err):
			return octopus.Errorf(octopus.CodeConflict, "That token exists already.")
		}
		return s.fail("token", err)
	})
}

// TokenByHash returns a token, also one that is revoked or expired: the caller says which.
func (s *Store) TokenByHash(ctx context.Context, hash []byte) (octopus.Token, error) {
	v, err := scanToken(s.reads.row(ctx, "SELECT "+tokenColumns+" FROM tokens WHERE hash = ?", hash))
	if isNoRow(err) {
		return v, octopus.Errorf(octopus.CodeNotFound, "This API token is not known. Check that it was copied whole.")
	}
	return v, s.fail("token", err)
}

// Tokens lists a user's tokens, all users' when userID is "", the newest first.
func (s *Store) Tokens(ctx context.Context, userID string) ([]octopus.Token, error) {
	tokens, err := list(ctx, s.reads, scanToken, "SELECT "+tokenColumns+" FROM tokens WHERE ? = '' OR user_id = ? ORDER BY id DESC", userID, userID)
	return tokens, s.fail("tokens", err)
}

// RevokeToken refuses a token from now on.
func (s *Store) RevokeToken(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("UPDATE tokens SET revoked_at = CASE WHEN revoked_at = 0 THEN ? ELSE revoked_at END WHERE id = ?", micros(t.now), id)
		if err == nil && n == 0 {
			return octopus.Errorf(octopus.CodeNotFound, "There is no token %q.", id)
		}
		t.hint("cache:sessions", "")
		return s.fail("token", err)
	})
}
