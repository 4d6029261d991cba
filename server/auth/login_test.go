package auth

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"octopus/internal/octopus"
)

func TestPasswordHash(t *testing.T) {
	t.Parallel()
	stored := hash(password)
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") || stored == hash(password) {
		t.Errorf("not a salted PHC string: %s", stored)
	}
	if ok, outdated := verify(stored, password); !ok || outdated {
		t.Error("the right password is refused")
	}
	if ok, _ := verify(stored, password+"x"); ok {
		t.Error("a wrong password is taken")
	}
	if p, err := parsePHC(dummyHash); err != nil || len(p.key) != keyBytes || len(p.salt) != saltBytes || p.memory != argonMemory {
		t.Errorf("the dummy does not cost what others do: %v %+v", err, p)
	}
	for _, bad := range []string{
		"", "x", "$argon2i$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5", "$argon2id$v=16$m=8,t=1,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5",
		"$argon2id$v=19$m=99999999,t=2,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5", "$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$a2V5a2V5a2V5a2V5a2V5",
		"$argon2id$v=19$m=64,t=2,p=1$$a2V5a2V5a2V5a2V5a2V5", "$argon2id$v=19$m=64,t=2,p=1$c2FsdHNhbHQ$",
	} {
		if ok, _ := verify(bad, ""); ok {
			t.Errorf("%q matches", bad)
		}
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	h := open(t)
	cookie, err := h.login(" ADA ", password)
	if err != nil {
		t.Fatal(err)
	}
	if s, _, err := h.seen(cookie, ""); err != nil || s.Username != "ada" || s.Role != octopus.RoleAdmin || s.Kind != KindSession {
		t.Errorf("%v %+v", err, s)
	}
	_, wrongPassword := h.login("ada", "wrong")
	_, unknownUser := h.login("nobody", "wrong")
	_, byID := h.login(h.admin.UserID, password)
	for _, err := range []error{wrongPassword, unknownUser, byID} {
		wantCode(t, "refusal", err, octopus.CodeUnauthenticated)
		if err.Error() != wrongPassword.Error() {
			t.Errorf("%q tells more than %q", err, wrongPassword)
		}
	}
	u, err := h.store.User(t.Context(), "ada")
	if err != nil || u.FailedAttempts != 1 || u.LastLogin.IsZero() {
		t.Errorf("%v %+v", err, u)
	}
	off := false
	h.user("grace", octopus.RoleAdmin)
	if _, err := h.UpdateUser(t.Context(), h.admin, "grace", UserChange{Active: &off}); err != nil {
		t.Fatal(err)
	}
	_, err = h.login("grace", password)
	wantCode(t, "an account that is off", err, octopus.CodeDenied)
	_, err = h.login("grace", "wrong")
	wantCode(t, "an account that is off, wrong password", err, octopus.CodeUnauthenticated)
}

// TestDelay: both users that exist and those that do not meet the same delays, and a right password does not
// help during one.
func TestDelay(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, name := range []string{"ada", "nobody"} {
		for range freeFailures {
			_, err := h.login(name, "wrong")
			wantCode(t, name, err, octopus.CodeUnauthenticated)
		}
		_, err := h.login(name, password)
		wantCode(t, name+" during the delay", err, octopus.CodeRateLimited)
		var e *octopus.Error
		if errors.As(err, &e); e.RetryAfterSeconds != 1 || e.Message != "Too many failed attempts. Try again in 1 s." {
			t.Errorf("%s: %+v", name, e)
		}
		h.clock.add(time.Second)
		_, err = h.login(name, "wrong")
		wantCode(t, name+" after the delay", err, octopus.CodeUnauthenticated)
		_, err = h.login(name, password)
		if errors.As(err, &e); octopus.CodeOf(err) != octopus.CodeRateLimited || e.RetryAfterSeconds != 2 {
			t.Errorf("%s: the delay does not grow: %v", name, err)
		}
		h.clock.add(2 * time.Second)
	}
	again := openEmpty(t, h.store, nil) // the server starts again
	again.clock.t = h.clock.now()
	if _, err := again.login("ada", password); err != nil {
		t.Fatal(err)
	}
	if u, err := h.store.User(t.Context(), "ada"); err != nil || u.FailedAttempts != 0 || !u.DelayedUntil.IsZero() {
		t.Errorf("a success does not reset: %v %+v", err, u)
	}
}

func TestDelayIsPersisted(t *testing.T) {
	t.Parallel()
	h := open(t)
	for range freeFailures {
		_, _ = h.login("ada", "wrong")
	}
	again := openEmpty(t, h.store, nil)
	again.clock.t = h.clock.now()
	_, err := again.login("ada", password)
	wantCode(t, "after a restart", err, octopus.CodeRateLimited)
}

func TestDelayAfter(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]time.Duration{0: 0, 4: 0, 5: time.Second, 6: 2 * time.Second, 10: 32 * time.Second, 14: maxDelay, 1 << 30: maxDelay} {
		if got := delayAfter(n, freeFailures); got != want {
			t.Errorf("after %d failures %s, want %s", n, got, want)
		}
	}
}

func TestThrottleIsBounded(t *testing.T) {
	t.Parallel()
	th, now := newThrottle(), time.Now()
	for i := range maxThrottled + 500 {
		th.fail(string(rune(i))+"x", freeFailures, now)
	}
	if len(th.by) > maxThrottled {
		t.Errorf("%d entries", len(th.by))
	}
	th.sweep(now.Add(2 * memory))
	if len(th.by) != 0 {
		t.Errorf("%d entries after the sweep", len(th.by))
	}
}

// TestManyLogins: what does not fit into the queue is turned away at once, and nothing else is.
func TestManyLogins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHasher()
		var leave []func()
		for range cap(h.slots) {
			l, err := h.enter(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, l)
		}
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, maxWaiting)
		for range maxWaiting {
			go func() { _, err := h.enter(ctx); left <- err }()
		}
		synctest.Wait() // all of them queue
		_, err := h.enter(t.Context())
		wantCode(t, "one too many", err, octopus.CodeUnavailable)
		cancel()
		for range maxWaiting {
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		}
		leave[0]()
		if _, err := h.enter(t.Context()); err != nil {
			t.Errorf("a free slot: %v", err)
		}
	})
}

// TestOutdatedHash: a hash with other parameters is replaced at the next sign-in.
func TestOutdatedHash(t *testing.T) {
	t.Parallel()
	h := open(t)
	const old = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0$W7Zl9PoyuOtgGrTqAjaPwdBYN7Xz2QURblT6oTfF8gU"
	_, err := h.store.UpdateUser(t.Context(), h.admin.UserID, func(u *octopus.User) error {
		p, err := parsePHC(old)
		if err != nil {
			return err
		}
		u.PasswordHash = phcOf(password, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.login("ada", password); err != nil {
		t.Fatal(err)
	}
	u, err := h.store.User(t.Context(), "ada")
	if err != nil || !strings.Contains(u.PasswordHash, "m=19456,t=2,p=1") {
		t.Errorf("%v %s", err, u.PasswordHash)
	}
}

// TestEqualTime measures that an unknown user takes about as long as a wrong password. It is coarse, for machines
// that do other things too: the check of a password takes tens of milliseconds, all else a fraction of one.
func TestEqualTime(t *testing.T) {
	h := open(t)
	best := func(name string) time.Duration {
		least := time.Hour
		for range 4 {
			start := time.Now()
			_, err := h.login(name, "wrong")
			wantCode(t, name, err, octopus.CodeUnauthenticated)
			least = min(least, time.Since(start))
		}
		return least
	}
	known, unknown := best("ada"), best("nobody")
	if unknown < known/8 || known < unknown/8 {
		t.Errorf("a wrong password takes %s, an unknown user %s", known, unknown)
	}
}

func FuzzParsePHC(f *testing.F) {
	f.Add(dummyHash)
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c2FsdA$a2V5")
	f.Fuzz(func(t *testing.T, s string) {
		if p, err := parsePHC(s); err == nil && (p.memory > maxArgonMemory || p.time > maxArgonTime || len(p.key) == 0) {
			t.Errorf("%q: %+v", s, p)
		}
	})
}
