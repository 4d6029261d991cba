package auth

import (
	"context"
	"strings"
	"time"

	"octopus/internal/octopus"
)

// Login checks a password and opens a session; give the cookie to [Auth.SetCookie]. A wrong password and an
// unknown user are the same CodeUnauthenticated after the same time and the same kind of write. After a few
// failures it is CodeRateLimited for a while, for both. Too many at once are CodeUnavailable.
func (a *Auth) Login(ctx context.Context, username, password, ip, userAgent string) (cookie string, err error) {
	username = normalize(username)
	user, err := a.checkLogin(ctx, username, password, ip)
	if err != nil {
		a.log.Info("sign-in refused", "user", shorten(username, 64), "ip", ip, "reason", octopus.Sentence(err))
		return "", err
	}
	return a.open(ctx, user, ip, userAgent)
}

// checkLogin does everything inside a hashing slot, so that parallel guesses meet the delay of the earlier ones.
func (a *Auth) checkLogin(ctx context.Context, username, password, ip string) (octopus.User, error) {
	leave, err := a.hashing.enter(ctx)
	if err != nil {
		return octopus.User{}, err
	}
	defer leave()
	now := a.now()
	if err := a.slow.check("ip:"+ip, now); err != nil {
		return octopus.User{}, err
	}
	user, err := a.store.User(ctx, username)
	switch {
	case octopus.CodeOf(err) == octopus.CodeNotFound || err == nil && user.Username != username:
		return octopus.User{}, a.failUnknown(ctx, username, password, ip, now)
	case err != nil:
		return octopus.User{}, err
	}
	if left := user.DelayedUntil.Sub(now); left > 0 {
		return octopus.User{}, tooSoon(left)
	}
	if len(password) > MaxPassword {
		password = ""
	}
	ok, outdated := verify(user.PasswordHash, password)
	if !ok {
		return octopus.User{}, a.failKnown(ctx, user.ID, ip, now)
	}
	if !user.Active {
		return octopus.User{}, octopus.Errorf(octopus.CodeDenied, "This account is switched off. Ask an administrator.")
	}
	a.slow.reset("ip:" + ip)
	return a.succeed(ctx, user.ID, password, outdated, now)
}

// wrong is the one answer to a wrong name or password.
func wrong() error {
	return octopus.Errorf(octopus.CodeUnauthenticated, "The user name or the password is wrong.")
}

// failKnown counts the failure in the user's row.
func (a *Auth) failKnown(ctx context.Context, id, ip string, now time.Time) error {
	a.slow.fail("ip:"+ip, ipFree, now)
	_, err := a.store.UpdateUser(ctx, id, func(u *octopus.User) error {
		u.FailedAttempts++
		u.DelayedUntil = time.Time{}
		if d := delayAfter(u.FailedAttempts, freeFailures); d > 0 {
			u.DelayedUntil = now.Add(d)
		}
		return nil
	})
	if err != nil {
		return err
	}
	a.forget(id)
	return wrong()
}

// failUnknown spends the same time and one write on a user that does not exist, with the same delays.
func (a *Auth) failUnknown(ctx context.Context, username, password, ip string, now time.Time) error {
	key := "user:" + shorten(username, 64)
	if err := a.slow.check(key, now); err != nil {
		return err
	}
	verify(dummyHash, shorten(password, MaxPassword))
	a.slow.fail("ip:"+ip, ipFree, now)
	a.slow.fail(key, freeFailures, now)
	if err := a.store.SetMeta(ctx, "auth.unknown_login", now.UTC().Format(time.RFC3339Nano)); err != nil {
		return err
	}
	return wrong()
}

// succeed clears the failures and hashes the password again where the parameters are outdated.
func (a *Auth) succeed(ctx context.Context, id, password string, outdated bool, now time.Time) (octopus.User, error) {
	fresh := ""
	if outdated {
		fresh = hash(password)
	}
	user, err := a.store.UpdateUser(ctx, id, func(u *octopus.User) error {
		u.FailedAttempts, u.DelayedUntil, u.LastLogin = 0, time.Time{}, now
		if fresh != "" {
			u.PasswordHash = fresh
		}
		return nil
	})
	a.forget(id)
	return user, err
}

// normalize is how user names are compared.
func normalize(username string) string { return strings.ToLower(strings.TrimSpace(plain(username))) }

// plain drops what a database does not store as text: bytes that are not UTF-8, and NUL.
func plain(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\x00", "") }

// shorten cuts s to at most n bytes; only for logs and keys.
func shorten(s string, n int) string {
	if len(s) > n {
		return s[:n]
	}
	return s
}
