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

// SetupNeeded reports whether no user exists yet.
func (a *Auth) SetupNeeded(ctx context.Context) (bool, error) {
	n, err := a.store.CountUsers(ctx)
	return n == 0, err
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
	if needed, err := a.SetupNeeded(ctx); err != nil {
		return "", err
	} else if !needed {
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
	if err != nil {
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

// Bootstrapped is what [Auth.Bootstrap] made. Its secrets are shown once.
type Bootstrapped struct {
	User      octopus.User
	Password  string
	APIToken  string
	JoinToken string // one machine
}

// Bootstrap makes the first administrator with a random password, an API token and a join token, for scripts
// that have the server's machine. Once a user exists it is CodeConflict.
func (a *Auth) Bootstrap(ctx context.Context, username string) (b Bootstrapped, err error) {
	b.Password = random(24, base62)
	if b.User, err = a.firstUser(ctx, username, b.Password); err != nil {
		return Bootstrapped{}, err
	}
	s := Subject{UserID: b.User.ID, Username: b.User.Username, Role: b.User.Role, Kind: KindLocal}
	if _, b.APIToken, err = a.CreateToken(ctx, s, "bootstrap", "", 0); err != nil {
		return Bootstrapped{}, err
	}
	_, b.JoinToken, err = a.CreateJoinToken(ctx, s, "bootstrap", nil, 1, 0)
	return b, err
}
