package store

import (
	"context"

	"octopus/internal/octopus"
)

const userColumns = `id, username, email, display_name, role, password_hash, active, zone, theme, params, created_at, last_login,
failed_attempts, delayed_until`

func scanUser(row scanner) (u octopus.User, err error) {
	err = row.Scan(&u.ID, &u.Username, &u.Email, &u.DisplayName, &u.Role, &u.PasswordHash, &u.Active, &u.Zone, &u.Theme, rawInto{&u.PlainParams},
		timeInto{&u.CreatedAt}, timeInto{&u.LastLogin}, &u.FailedAttempts, timeInto{&u.DelayedUntil})
	return u, err
}

const countUsers = "SELECT count(*) FROM users"

// CountUsers counts the users; 0 means that the server was never set up.
func (s *Store) CountUsers(ctx context.Context) (int, error) {
	n, err := one[int](s.reads.row(ctx, countUsers))
	return n, s.fail("users", err)
}

// CreateUser adds a user. ID and CreatedAt are filled in where they are empty.
func (s *Store) CreateUser(ctx context.Context, u octopus.User) (octopus.User, error) {
	err := s.write(ctx, func(t *tx) error { return t.createUser(&u) })
	return u, err
}

// CreateFirstUser adds a user while there is none; else it is CodeConflict. Of several at once one wins.
func (s *Store) CreateFirstUser(ctx context.Context, u octopus.User) (octopus.User, error) {
	err := s.write(ctx, func(t *tx) error {
		n, err := one[int](t.row(ctx, countUsers))
		if err != nil {
			return s.fail("users", err)
		}
		if n > 0 {
			return octopus.Errorf(octopus.CodeConflict, "Octopus is set up already. Sign in instead.")
		}
		// Two servers at once: the row that says who set it up is unique.
		if _, err := t.exec("INSERT INTO meta (key, value) VALUES ('first user', ?)", clean(u.Username)); isUnique(err) {
			return octopus.Errorf(octopus.CodeConflict, "Octopus is set up already. Sign in instead.")
		} else if err != nil {
			return s.fail("user", err)
		}
		return t.createUser(&u)
	})
	return u, err
}

func (t *tx) createUser(u *octopus.User) error {
	if u.ID == "" {
		u.ID = octopus.NewID(octopus.PrefixUser, t.now)
	}
	if u.CreatedAt.IsZero() {
		u.CreatedAt = t.now
	}
	u.CreatedAt = truncate(u.CreatedAt)
	_, err := t.exec("INSERT INTO users ("+userColumns+") VALUES ("+marks(14)+")", u.ID, clean(u.Username), clean(u.Email), clean(u.DisplayName),
		string(u.Role), u.PasswordHash, u.Active, u.Zone, u.Theme, clean(string(u.PlainParams)), micros(u.CreatedAt), micros(u.LastLogin),
		int64(u.FailedAttempts), micros(u.DelayedUntil))
	if isUnique(err) {
		return octopus.Errorf(octopus.CodeConflict, "There is another user named %q. Choose another name.", u.Username)
	}
	t.hintUser(u.ID)
	return t.store.fail("user", err)
}

func (t *tx) hintUser(id string) {
	t.hint("users", id)
	t.hint("cache:users", "")
	t.hint("cache:sessions", "")
}

// User returns a user by id or name.
func (s *Store) User(ctx context.Context, idOrName string) (octopus.User, error) {
	u, err := loadUser(ctx, s.reads, idOrName)
	if err != nil {
		return u, s.notFound(err, "user", idOrName)
	}
	return u, nil
}

func loadUser(ctx context.Context, q queryer, idOrName string) (octopus.User, error) {
	column := "username"
	if octopus.ValidID(octopus.PrefixUser, idOrName) {
		column = "id"
	}
	return scanUser(q.row(ctx, "SELECT "+userColumns+" FROM users WHERE "+column+" = ?", idOrName))
}

// Users lists the users by name.
func (s *Store) Users(ctx context.Context) ([]octopus.User, error) {
	users, err := list(ctx, s.reads, scanUser, "SELECT "+userColumns+" FROM users ORDER BY username")
	return users, s.fail("users", err)
}

// UpdateUser changes a user in one transaction. The last active administrator stays one.
func (s *Store) UpdateUser(ctx context.Context, id string, change func(*octopus.User) error) (octopus.User, error) {
	var u octopus.User
	err := s.write(ctx, func(t *tx) (err error) {
		if u, err = loadUser(ctx, t, id); err != nil {
			return s.notFound(err, "user", id)
		}
		before := u
		if err := change(&u); err != nil {
			return err
		}
		if err := t.keepAdmin(before, u); err != nil {
			return err
		}
		_, err = t.exec(`UPDATE users SET username = ?, email = ?, display_name = ?, role = ?, password_hash = ?, active = ?, zone = ?, theme = ?,
params = ?, last_login = ?, failed_attempts = ?, delayed_until = ? WHERE id = ?`, clean(u.Username), clean(u.Email), clean(u.DisplayName),
			string(u.Role), u.PasswordHash, u.Active, u.Zone, u.Theme, clean(string(u.PlainParams)), micros(u.LastLogin), int64(u.FailedAttempts),
			micros(u.DelayedUntil), before.ID)
		if isUnique(err) {
			return octopus.Errorf(octopus.CodeConflict, "There is another user named %q. Choose another name.", u.Username)
		}
		if err != nil {
			return s.fail("user", err)
		}
		t.hintUser(u.ID)
		return nil
	})
	return u, err
}

// DeleteUser removes a user with its sessions and tokens. The last active administrator stays.
func (s *Store) DeleteUser(ctx context.Context, id string) error {
	return s.write(ctx, func(t *tx) error {
		before, err := loadUser(ctx, t, id)
		if err != nil {
			return s.notFound(err, "user", id)
		}
		if err := t.keepAdmin(before, octopus.User{}); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM users WHERE id = ?", before.ID); err != nil {
			return s.fail("user", err)
		}
		t.hintUser(before.ID)
		return nil
	})
}

// keepAdmin refuses a change that would leave no active administrator. It holds on to the rows of all of them: where
// two servers take the last two away at the same time, the second one waits, and sees what the first one left.
func (t *tx) keepAdmin(before, after octopus.User) error {
	administers := func(u octopus.User) bool { return u.Role == octopus.RoleAdmin && u.Active }
	if !administers(before) || administers(after) {
		return nil
	}
	n, err := one[int](t.row(context.Background(), "SELECT count(*) FROM (SELECT id FROM users WHERE role = ? AND active AND id <> ? ORDER BY id"+
		t.store.dialect.forUpdate+") AS others", string(octopus.RoleAdmin), before.ID))
	if err == nil && n == 0 {
		return octopus.Errorf(octopus.CodeConflict, "%s is the last administrator. Make another one first.", before.Username)
	}
	return t.store.fail("users", err)
}
