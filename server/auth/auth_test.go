package auth

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
	"octopus/server/cache"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

// clock is a clock that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

const password = "correct horse battery"

// house is an Auth on a real store, with an administrator "ada".
type house struct {
	*Auth
	t     *testing.T
	clock *clock
	admin Subject
}

func open(t *testing.T) *house {
	t.Helper()
	h := openEmpty(t, storetest.Open(t), nil)
	user, err := h.newUser(t.Context(), NewUser{Username: "ada", Password: password, Role: octopus.RoleAdmin})
	if err != nil {
		t.Fatal(err)
	}
	if user, err = h.store.CreateFirstUser(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	h.admin = Subject{UserID: user.ID, Username: "ada", Role: octopus.RoleAdmin, Kind: KindLocal}
	return h
}

func openEmpty(t *testing.T, s *store.Store, b bus.Bus) *house {
	t.Helper()
	c := &clock{t: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)}
	a, err := New(Config{Store: s, Cache: cache.New(b, nil), Now: c.now, PublicURL: "https://Octopus.Example.com:443/"})
	if err != nil {
		t.Fatal(err)
	}
	return &house{Auth: a, t: t, clock: c}
}

func (h *house) user(name string, role octopus.Role) octopus.User {
	h.t.Helper()
	u, err := h.CreateUser(h.t.Context(), h.admin, NewUser{Username: name, Password: password, Role: role})
	if err != nil {
		h.t.Fatal(err)
	}
	return u
}

func (h *house) login(name, password string) (string, error) {
	return h.Login(h.t.Context(), name, password, "192.0.2.1", "test")
}

// seen is who a handler sees behind both middlewares, and what it sets.
func (h *house) seen(cookie, authorization string) (s Subject, set []*http.Cookie, err error) {
	r := httptest.NewRequest("GET", "/", nil)
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: CookieName, Value: cookie})
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.Tokens(h.Sessions(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, err = Require(r.Context())
	}))).ServeHTTP(w, r)
	return s, w.Result().Cookies(), err
}

func wantCode(t *testing.T, what string, err error, code octopus.Code) {
	t.Helper()
	if octopus.CodeOf(err) != code {
		t.Errorf("%s: %q, %v; want %q", what, octopus.CodeOf(err), err, code)
	}
}

func TestCan(t *testing.T) {
	t.Parallel()
	want := map[Action]octopus.Role{
		Read: "viewer", TokenSelf: "viewer", ProfileSelf: "viewer", RunTask: "user", ExecutionCancel: "operator", RunAdhoc: "operator",
		TaskEdit: "operator", AgentManage: "operator", PluginSubmit: "operator", PluginManage: "admin", GrantManage: "admin", UserManage: "admin", SystemManage: "admin", SecretManage: "admin",
	}
	if len(want) != len(least) {
		t.Errorf("%d actions are tested, there are %d", len(want), len(least))
	}
	for action, role := range want {
		for _, has := range octopus.Roles {
			err := Can(Subject{Username: "x", Role: has}, action, Object{})
			if may := has.Includes(role); may != (err == nil) {
				t.Errorf("%s as %s: %v", action, has, err)
			} else if !may {
				wantCode(t, string(action), err, octopus.CodeDenied)
			}
		}
		wantCode(t, "nobody", Can(Subject{}, action, Object{}), octopus.CodeUnauthenticated)
		wantCode(t, "no role", Can(Subject{Username: "x", Role: "boss"}, action, Object{}), octopus.CodeDenied)
	}
	wantCode(t, "unknown action", Can(Local("x"), "fly", Object{}), octopus.CodeDenied)
	bob := Subject{Username: "bob", Role: octopus.RoleUser}
	if err := Can(bob, ExecutionCancel, Object{Owner: "bob"}); err != nil {
		t.Errorf("one's own: %v", err)
	}
	wantCode(t, "another's", Can(bob, ExecutionCancel, Object{Owner: "ada"}), octopus.CodeDenied)
	wantCode(t, "a viewer's own", Can(Subject{Username: "v", Role: octopus.RoleViewer}, ExecutionCancel, Object{Owner: "v"}), octopus.CodeDenied)
}

func TestSetup(t *testing.T) {
	t.Parallel()
	h := openEmpty(t, storetest.Open(t), nil)
	ctx := t.Context()
	if !h.SetupNeeded(ctx) {
		t.Error("an empty house needs no setup")
	}
	setup := func(code string) error {
		_, err := h.Setup(ctx, code, "Ada", password, "192.0.2.1", "test")
		return err
	}
	wantCode(t, "before there is a code", setup("anything"), octopus.CodeDenied)
	old, err := h.SetupCode(ctx)
	if err != nil {
		t.Fatal(err)
	}
	code, err := h.SetupCode(ctx)
	if err != nil || len(code) != 14 {
		t.Fatal(err, code)
	}
	wantCode(t, "the older code", setup(old), octopus.CodeDenied)
	if _, err := h.Setup(ctx, code, "Ada", "short", "", ""); octopus.CodeOf(err) != octopus.CodeInvalid {
		t.Errorf("weak password: %v", err)
	}
	if err := setup(" " + code + " "); err != nil {
		t.Fatalf("the right code: %v", err)
	}
	wantCode(t, "twice", setup(code), octopus.CodeConflict)
	if h.SetupNeeded(ctx) {
		t.Error("setup is still needed")
	}
	if _, _, err := h.Bootstrap(ctx, "eve"); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Errorf("bootstrap after setup: %v", err)
	}
}

func TestSetupCodeIsNotGuessed(t *testing.T) {
	t.Parallel()
	h := openEmpty(t, storetest.Open(t), nil)
	code, err := h.SetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range freeFailures {
		_, err = h.Setup(t.Context(), "wrong", "ada", password, "", "")
		wantCode(t, "wrong", err, octopus.CodeDenied)
	}
	_, err = h.Setup(t.Context(), code, "ada", password, "", "")
	wantCode(t, "during the delay", err, octopus.CodeRateLimited)
	h.clock.add(time.Minute)
	if _, err = h.Setup(t.Context(), code, "ada", password, "", ""); err != nil {
		t.Errorf("after the delay: %v", err)
	}
}

func TestOneFirstUser(t *testing.T) {
	t.Parallel()
	h := openEmpty(t, storetest.Open(t), nil)
	code, err := h.SetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := 0
	for _, name := range []string{"a", "b", "c", "d"} {
		wg.Go(func() {
			if _, err := h.Setup(context.WithoutCancel(t.Context()), code, name, password, "", ""); err == nil {
				mu.Lock()
				made++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if made != 1 {
		t.Errorf("%d administrators were made with one code", made)
	}
}

func TestLoginLink(t *testing.T) {
	t.Parallel()
	h := open(t)
	ctx := t.Context()
	secret, err := h.LoginLink(ctx, "ada")
	if err != nil {
		t.Fatal(err)
	}
	for _, ip := range []string{"192.0.2.1", "10.0.0.1", "", "2001:db8::1"} {
		_, err := h.ConsumeLoginLink(ctx, secret, ip, "")
		wantCode(t, "from "+ip, err, octopus.CodeDenied)
	}
	for range 2 { // a preview does not spend it
		if u, err := h.CheckLoginLink(ctx, secret, "127.0.0.1"); err != nil || u.Username != "ada" {
			t.Errorf("%v %+v", err, u)
		}
	}
	var wg sync.WaitGroup
	cookies := make(chan string, 8)
	for range 8 {
		wg.Go(func() {
			if cookie, err := h.ConsumeLoginLink(context.WithoutCancel(ctx), secret, "::1", ""); err == nil {
				cookies <- cookie
			}
		})
	}
	wg.Wait()
	if len(cookies) != 1 {
		t.Fatalf("one link signed in %d times", len(cookies))
	}
	if s, _, err := h.seen(<-cookies, ""); err != nil || s.Username != "ada" {
		t.Errorf("%v %+v", err, s)
	}
	if u, err := h.store.User(ctx, "ada"); err != nil || u.LastLogin.IsZero() {
		t.Errorf("the link was no login: %v %+v", err, u)
	}
	wantCode(t, "spent", func() error { _, err := h.CheckLoginLink(ctx, secret, "127.0.0.1"); return err }(), octopus.CodeDenied)
	if secret, err = h.LoginLink(ctx, "ada"); err != nil {
		t.Fatal(err)
	}
	h.clock.add(LoginLinkTTL)
	_, err = h.ConsumeLoginLink(ctx, secret, "127.0.0.1", "")
	wantCode(t, "expired", err, octopus.CodeDenied)
}
