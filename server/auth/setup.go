package auth

import (
	"context"
	"crypto/subtle"
	"strings"

	"octopus/internal/octopus"
)

// metaSetup holds the hash of the one-time setup code.
const metaSetup = "auth.setup_code"

// codeAlphabet has no letters that look alike. 12 of its 31 characters are 59 bits.
const codeAlphabet = "23456789abcdefghjkmnpqrstuvwxyz"

// SetupNeeded reports whether no user exists yet; false also when the store cannot tell.
func (a *Auth) SetupNeeded(ctx context.Context) bool {
	n, err := a.store.CountUsers(ctx)
	return err == nil && n == 0
}

// SetupCode makes the one-time code with which the first user is made, such as "k7mp-2xwd-9qrt"; the server
// prints it where only its administrator looks. A code made before stops working.
func (a *Auth) SetupCode(ctx context.Context) (string, error) {
	code := random(12, codeAlphabet)
	if err := a.store.SetMeta(ctx, metaSetup, hashKey(code)); err != nil {
		return "", err
	}
	return code[:4] + "-" + code[4:8] + "-" + code[8:], nil
}

// Setup makes the first administrator with the one-time code and signs it in. With a wrong code it is
// CodeDenied, once a user exists CodeConflict.
func (a *Auth) Setup(ctx context.Context, code, username, password, ip, userAgent string) (cookie string, err error) {
	if err := a.slow.check("setup", a.now()); err != nil {
		return "", err
	}
	if n, err := a.store.CountUsers(ctx); err != nil {
		return "", err
	} else if n > 0 {
		return "", octopus.Errorf(octopus.CodeConflict, "Octopus is set up already. Sign in instead.")
	}
	if err := a.checkSetupCode(ctx, code); err != nil {
		return "", err
	}
	user, err := a.firstUser(ctx, username, password)
	if err != nil {
		return "", err
	}
	return a.open(ctx, user, ip, userAgent)
}

func (a *Auth) checkSetupCode(ctx context.Context, code string) error {
	code = strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(shorten(code, 64)))
	want, err := a.store.Meta(ctx, metaSetup)
	if err != nil && octopus.CodeOf(err) != octopus.CodeNotFound {
		return err
	}
	if want == "" || subtle.ConstantTimeCompare([]byte(hashKey(code)), []byte(want)) != 1 {
		a.slow.fail("setup", freeFailures, a.now())
		return octopus.Errorf(octopus.CodeDenied, "The setup code is wrong. The server printed it when it started; restarting it prints a new one.")
	}
	return nil
}

// firstUser makes the first administrator; the store sees to it that it is the first. The code is spent after.
func (a *Auth) firstUser(ctx context.Context, username, password string) (octopus.User, error) {
	user, err := a.newUser(ctx, NewUser{Username: username, Password: password, Role: octopus.RoleAdmin})
	if err != nil {
		return octopus.User{}, err
	}
	user, err = a.store.CreateFirstUser(ctx, user)
	if err != nil {
		return octopus.User{}, err
	}
	a.log.Info("first administrator made", "user", user.Username)
	if _, err := a.store.TakeMeta(ctx, metaSetup); err != nil && octopus.CodeOf(err) != octopus.CodeNotFound {
		return octopus.User{}, err
	}
	return user, nil
}

// Bootstrap makes the first administrator with a random password, for scripts that have the server's machine.
// Once a user exists it is CodeConflict.
func (a *Auth) Bootstrap(ctx context.Context, username string) (user octopus.User, password string, err error) {
	password = random(24, base62)
	user, err = a.firstUser(ctx, username, password)
	return user, password, err
}
