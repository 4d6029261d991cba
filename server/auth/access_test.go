package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
	"octopus/server/cache"
)

func TestSessions(t *testing.T) {
	t.Parallel()
	h := open(t)
	cookie, err := h.login("ada", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, set, err := h.seen(cookie, ""); err != nil || len(set) != 0 {
		t.Errorf("%v %v", err, set)
	}
	for _, bad := range []string{"", "x", cookie[1:], cookie[:len(cookie)-1] + "!"} {
		_, _, err := h.seen(bad, "")
		wantCode(t, bad, err, octopus.CodeUnauthenticated)
	}
	h.clock.add(SessionTTL/2 + time.Minute)
	if _, set, err := h.seen(cookie, ""); err != nil || len(set) != 1 || !set[0].HttpOnly {
		t.Errorf("half of its time is gone, and it is not moved on: %v %v", err, set)
	}
	h.clock.add(SessionTTL - time.Minute)
	if _, _, err := h.seen(cookie, ""); err != nil {
		t.Errorf("it was moved on: %v", err)
	}
	h.clock.add(SessionTTL)
	_, _, err = h.seen(cookie, "")
	wantCode(t, "expired", err, octopus.CodeUnauthenticated)
}

func TestLogout(t *testing.T) {
	t.Parallel()
	h := open(t)
	cookie, err := h.login("ada", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.seen(cookie, ""); err != nil { // it is cached now
		t.Fatal(err)
	}
	for range 2 {
		if err := h.Logout(t.Context(), cookie); err != nil {
			t.Fatal(err)
		}
	}
	_, _, err = h.seen(cookie, "")
	wantCode(t, "after logout", err, octopus.CodeUnauthenticated)
}

func TestCookie(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.secure = true
	w := httptest.NewRecorder()
	h.SetCookie(w, "secret")
	h.ClearCookie(w)
	for _, c := range w.Result().Cookies() {
		if c.Name != CookieName || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("%+v", c)
		}
	}
}

// TestSecondServer: what one server ends, another that has it cached does not believe either.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := bus.NewLocal()
	t.Cleanup(b.Close)
	heard := b.Subscribe(16, "cache:"+string(cache.Sessions), "cache:"+string(cache.Users))
	first, second := openEmpty(t, h.store, b), openEmpty(t, h.store, b)
	cookie, err := first.login("ada", password)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := second.seen(cookie, ""); err != nil {
		t.Fatal(err)
	}
	if err := first.Logout(t.Context(), cookie); err != nil {
		t.Fatal(err)
	}
	for {
		if hint := <-heard.C(); hint.Topic == "cache:"+string(cache.Sessions) && hint.ID == hashKey(cookie) {
			return // the cache's own tests show that it listens
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	h := open(t)
	bob := h.user("bob", octopus.RoleOperator)
	s := Subject{UserID: bob.ID, Username: "bob", Role: octopus.RoleOperator, Kind: KindLocal}
	token, secret, err := h.CreateToken(t.Context(), s, "ci", "", time.Hour)
	if err != nil || len(secret) != len("oct_")+43 || string(token.Hash) == secret {
		t.Fatalf("%v %+v", err, token)
	}
	seen, _, err := h.seen("", "bearer "+secret)
	if err != nil || seen.Username != "bob" || seen.Role != octopus.RoleOperator || seen.TokenID != token.ID || seen.Kind != KindToken {
		t.Errorf("%v %+v", err, seen)
	}
	_, _, err = h.CreateToken(t.Context(), s, "more", octopus.RoleAdmin, 0)
	wantCode(t, "more than one's own role", err, octopus.CodeDenied)
	_, _, err = h.CreateToken(t.Context(), s, " ", "", 0)
	wantCode(t, "without a name", err, octopus.CodeInvalid)

	viewer := octopus.RoleViewer // the user is given less: so are its tokens
	if _, err := h.UpdateUser(t.Context(), h.admin, "bob", UserChange{Role: &viewer}); err != nil {
		t.Fatal(err)
	}
	if seen, _, err := h.seen("", "Bearer "+secret); err != nil || seen.Role != octopus.RoleViewer {
		t.Errorf("%v %+v", err, seen)
	}
	for _, bad := range []string{"Bearer", "Bearer x", "Basic " + secret, "Bearer oct_" + secret, "Bearer " + secret[:20]} {
		_, _, err := h.seen("", bad)
		wantCode(t, bad, err, octopus.CodeUnauthenticated)
	}
	grace := h.user("grace", octopus.RoleOperator)
	other := Subject{UserID: grace.ID, Username: "grace", Role: octopus.RoleOperator, Kind: KindLocal}
	wantCode(t, "another's token", h.RevokeToken(t.Context(), other, token.ID), octopus.CodeNotFound)
	h.clock.add(time.Hour)
	_, _, err = h.seen("", "Bearer "+secret)
	wantCode(t, "expired", err, octopus.CodeUnauthenticated)
	h.clock.add(-time.Minute)
	if err := h.RevokeToken(t.Context(), h.admin, token.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err = h.seen("", "Bearer "+secret)
	wantCode(t, "revoked", err, octopus.CodeUnauthenticated)
}

// TestBadTokenBeatsCookie: a request that says who it is and is wrong is nobody.
func TestBadTokenBeatsCookie(t *testing.T) {
	t.Parallel()
	h := open(t)
	cookie, err := h.login("ada", password)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = h.seen(cookie, "Bearer oct_wrong")
	wantCode(t, "bad token with a good cookie", err, octopus.CodeUnauthenticated)
}

func TestUsers(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := t.Context()
	for _, name := range []string{"", "Bob Smith", "a/b", "usr_x", "-a", "ä", string(make([]byte, 65))} {
		_, err := h.CreateUser(ctx, h.admin, NewUser{Username: name, Password: password, Role: octopus.RoleUser})
		wantCode(t, name, err, octopus.CodeInvalid)
	}
	for _, weak := range []string{"", "123456789", "longusername", string(make([]byte, 2000))} {
		_, err := h.CreateUser(ctx, h.admin, NewUser{Username: "longusername", Password: weak, Role: octopus.RoleUser})
		wantCode(t, weak, err, octopus.CodeInvalid)
	}
	bob := h.user("bob", octopus.RoleUser)
	asBob := Subject{UserID: bob.ID, Username: "bob", Role: octopus.RoleUser, Kind: KindSession}
	_, err := h.CreateUser(ctx, asBob, NewUser{Username: "eve", Password: password, Role: octopus.RoleUser})
	wantCode(t, "made by a user", err, octopus.CodeDenied)
	_, err = h.CreateUser(ctx, h.admin, NewUser{Username: "BOB", Password: password, Role: octopus.RoleUser})
	wantCode(t, "twice", err, octopus.CodeConflict)

	admin, zone, off := octopus.RoleAdmin, "Europe/Berlin", false
	if u, err := h.UpdateUser(ctx, asBob, bob.ID, UserChange{Zone: &zone}); err != nil || u.Zone != zone {
		t.Errorf("one's own zone: %v", err)
	}
	_, err = h.UpdateUser(ctx, asBob, bob.ID, UserChange{Role: &admin})
	wantCode(t, "one's own role", err, octopus.CodeDenied)
	_, err = h.UpdateUser(ctx, asBob, "ada", UserChange{Zone: &zone})
	wantCode(t, "another's zone", err, octopus.CodeDenied)
	_, err = h.UpdateUser(ctx, asBob, "nobody", UserChange{Zone: &zone})
	wantCode(t, "nobody's zone", err, octopus.CodeDenied)
	_, err = h.UpdateUser(ctx, h.admin, "ada", UserChange{Active: &off})
	wantCode(t, "the last administrator", err, octopus.CodeConflict)
	wantCode(t, "the last administrator", h.DeleteUser(ctx, h.admin, "ada"), octopus.CodeConflict)
	bad := "Nowhere/Land"
	_, err = h.UpdateUser(ctx, h.admin, "bob", UserChange{Zone: &bad})
	wantCode(t, "zone", err, octopus.CodeInvalid)
}

// TestSessionsEnd: a new password, and the end of an account, end its sessions at once.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := t.Context()
	bob := h.user("bob", octopus.RoleUser)
	here, err := h.login("bob", password)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := h.login("bob", password)
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := h.seen(here, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.seen(elsewhere, ""); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "wrong old password", h.ChangePassword(ctx, s, "wrong", "a new password"), octopus.CodeInvalid)
	if err := h.ChangePassword(ctx, s, password, "a new password"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.seen(here, ""); err != nil {
		t.Errorf("one's own session: %v", err)
	}
	_, _, err = h.seen(elsewhere, "")
	wantCode(t, "the other session", err, octopus.CodeUnauthenticated)
	if _, err := h.login("bob", "a new password"); err != nil {
		t.Error(err)
	}
	token, secret, err := h.CreateToken(ctx, s, "ci", "", 0)
	if err != nil || token.ID == "" {
		t.Fatal(err)
	}
	if _, _, err := h.seen("", "Bearer "+secret); err != nil {
		t.Fatal(err)
	}
	if err := h.DeleteUser(ctx, h.admin, bob.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err = h.seen(here, "")
	wantCode(t, "the session of nobody", err, octopus.CodeUnauthenticated)
	_, _, err = h.seen("", "Bearer "+secret)
	wantCode(t, "the token of nobody", err, octopus.CodeUnauthenticated)
}
