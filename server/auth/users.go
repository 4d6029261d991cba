package auth

import (
	"cmp"
	"context"
	"regexp"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/server/cache"
)

// NewUser is what [Auth.CreateUser] needs.
type NewUser struct {
	ID                                     string // "" makes one
	Username, Password, Email, DisplayName string
	Role                                   octopus.Role
}

var usernamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)

// CreateUser makes a user that may sign in. The subject must be an administrator.
func (a *Auth) CreateUser(ctx context.Context, s Subject, u NewUser) (octopus.User, error) {
	if err := Can(s, UserManage, Object{}); err != nil {
		return octopus.User{}, err
	}
	user, err := a.newUser(ctx, u)
	if err != nil {
		return octopus.User{}, err
	}
	user, err = a.store.CreateUser(ctx, user)
	if err == nil {
		a.log.Info("user made", "by", s.Username, "user", user.Username, "role", user.Role)
	}
	return user, err
}

// newUser checks u and hashes its password.
func (a *Auth) newUser(ctx context.Context, u NewUser) (octopus.User, error) {
	name := normalize(u.Username)
	switch {
	case !usernamePattern.MatchString(name) || strings.HasPrefix(name, octopus.PrefixUser):
		return octopus.User{}, octopus.InvalidField("/username", "A user name has 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit.")
	case !u.Role.Includes(octopus.RoleViewer):
		return octopus.User{}, octopus.InvalidField("/role", "The role is one of viewer, user, operator and admin.")
	}
	if err := checkPassword("/password", name, u.Password); err != nil {
		return octopus.User{}, err
	}
	hashed, err := a.hashNew(ctx, u.Password)
	if err != nil {
		return octopus.User{}, err
	}
	now := a.now()
	return octopus.User{
		ID: cmp.Or(u.ID, octopus.NewID(octopus.PrefixUser, now)), Username: name, Email: u.Email, DisplayName: u.DisplayName,
		Role: u.Role, PasswordHash: hashed, Active: true, CreatedAt: now,
	}, nil
}

// UserChange names what to change of a user; nil leaves a field alone.
type UserChange struct {
	Email, DisplayName, Password, Zone, Theme *string
	Role                                      *octopus.Role
	Active                                    *bool
}

// personal reports whether the change is one that people may make of themselves.
func (c UserChange) personal() bool { return c.Role == nil && c.Active == nil && c.Password == nil }

// UpdateUser changes a user. People may change their own name, address, zone and theme; the rest is
// for administrators. The last active administrator stays one. A new password, role or the loss of the account
// ends the user's sessions.
func (a *Auth) UpdateUser(ctx context.Context, s Subject, idOrName string, c UserChange) (octopus.User, error) {
	user, err := a.store.User(ctx, idOrName)
	if own := err == nil && user.ID == s.UserID && c.personal(); own {
		err = Can(s, ProfileSelf, Object{})
	} else if denied := Can(s, UserManage, Object{}); denied != nil {
		err = denied // also for users that do not exist: no enumeration
	}
	if err != nil {
		return octopus.User{}, err
	}
	hashed, err := a.checkChange(ctx, user, c)
	if err != nil {
		return octopus.User{}, err
	}
	user, err = a.store.UpdateUser(ctx, user.ID, func(u *octopus.User) error { c.apply(u, hashed); return nil })
	if err != nil {
		return octopus.User{}, err
	}
	a.forget(user.ID)
	a.log.Info("user changed", "by", s.Username, "user", user.Username)
	if c.personal() {
		return user, nil
	}
	keep := ""
	if user.ID == s.UserID {
		keep = s.SessionID
	}
	return user, a.endSessions(ctx, user.ID, keep)
}

// checkChange validates c and hashes a new password.
func (a *Auth) checkChange(ctx context.Context, user octopus.User, c UserChange) (hashed string, err error) {
	if c.Role != nil && !c.Role.Includes(octopus.RoleViewer) {
		return "", octopus.InvalidField("/role", "The role is one of viewer, user, operator and admin.")
	}
	if c.Zone != nil {
		if _, err := time.LoadLocation(*c.Zone); err != nil {
			return "", octopus.InvalidField("/zone", "The zone must be an IANA name such as Europe/Berlin.")
		}
	}
	if c.Theme != nil && *c.Theme != "" && *c.Theme != "light" && *c.Theme != "dark" {
		return "", octopus.InvalidField("/theme", "The theme is light, dark or empty, which follows the system.")
	}
	if c.Password == nil {
		return "", nil
	}
	if err := checkPassword("/password", user.Username, *c.Password); err != nil {
		return "", err
	}
	return a.hashNew(ctx, *c.Password)
}

func (c UserChange) apply(u *octopus.User, hashed string) {
	set := func(field *string, value *string) {
		if value != nil {
			*field = *value
		}
	}
	set(&u.Email, c.Email)
	set(&u.DisplayName, c.DisplayName)
	set(&u.Zone, c.Zone)
	set(&u.Theme, c.Theme)
	if c.Role != nil {
		u.Role = *c.Role
	}
	if c.Active != nil {
		u.Active = *c.Active
	}
	if hashed != "" {
		u.PasswordHash, u.FailedAttempts, u.DelayedUntil = hashed, 0, time.Time{}
	}
}

// DeleteUser removes a user with its sessions and tokens, at once on every server. The last active
// administrator stays.
func (a *Auth) DeleteUser(ctx context.Context, s Subject, idOrName string) error {
	if err := Can(s, UserManage, Object{}); err != nil {
		return err
	}
	user, err := a.store.User(ctx, idOrName)
	if err != nil {
		return err
	}
	if err := a.store.DeleteUser(ctx, user.ID); err != nil {
		return err
	}
	a.forget(user.ID)
	a.cache.Invalidate(cache.Sessions, "") // its sessions and tokens, whose hashes are gone with it
	a.log.Info("user removed", "by", s.Username, "user", user.Username)
	return nil
}

// ChangePassword checks the present password, sets the new one and ends the user's other sessions. Failures
// count like failed sign-ins.
func (a *Auth) ChangePassword(ctx context.Context, s Subject, old, new string) error {
	if err := Can(s, ProfileSelf, Object{}); err != nil {
		return err
	}
	if err := checkPassword("/new", s.Username, new); err != nil {
		return err
	}
	if _, err := a.checkLogin(ctx, s.Username, old, ""); octopus.CodeOf(err) == octopus.CodeUnauthenticated {
		return octopus.InvalidField("/old", "The present password is wrong.")
	} else if err != nil {
		return err
	}
	hashed, err := a.hashNew(ctx, new)
	if err != nil {
		return err
	}
	if _, err := a.store.UpdateUser(ctx, s.UserID, func(u *octopus.User) error { u.PasswordHash = hashed; return nil }); err != nil {
		return err
	}
	a.forget(s.UserID)
	a.log.Info("password changed", "user", s.Username)
	return a.endSessions(ctx, s.UserID, s.SessionID)
}
