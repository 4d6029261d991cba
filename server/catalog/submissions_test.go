package catalog_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/store"
	"octopus/server/store/storetest"
	"octopus/wasmplugins"
	"octopus/wasmplugins/builtin"
)

// queue is a catalogue with a sandbox and two administrators, ada and bob.
func queue(t testing.TB, selfReview bool) (*catalog.Catalog, *store.Store) {
	t.Helper()
	s := storetest.Open(t)
	for _, name := range []string{"ada", "bob"} {
		if _, err := s.CreateUser(t.Context(), octopus.User{ID: octopus.PrefixUser + name, Username: name, Role: octopus.RoleAdmin, Active: true}); err != nil {
			t.Fatal(err)
		}
	}
	return catalog.New(catalog.Config{
		Store: s, Cache: cache.New(nil, nil), SelfReview: selfReview,
		Sandbox:  catalog.Sandbox{Dir: t.TempDir(), Executable: []string{os.Args[0], "runner"}},
		Builtins: func() ([]builtin.Plugin, error) { return nil, nil },
	}), s
}

// tested packs a module whose one test case expects a status.
func tested(t testing.TB, version string, status int, capabilities string) []byte {
	t.Helper()
	manifest := fmt.Sprintf(`{"schema":"octopus.plugin/v1","abi":1,"name":"hello","version":%q,"capabilities":%s,"actions":[{"name":"run"}],
		"tests":[{"name":"answers","action":"run","expect":{"status_code":%d}}]}`, version, capabilities, status)
	module, err := wasmplugins.Pack(noop(t), []byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	return module
}

func wantError(t *testing.T, err error, code octopus.Code, sentence string) {
	t.Helper()
	if octopus.CodeOf(err) != code || !strings.Contains(err.Error(), sentence) {
		t.Errorf("got %v, want %s with %q", err, code, sentence)
	}
}

func TestSubmission(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, s := queue(t, false)
	module := tested(t, "1.0.0", 200, `{}`)
	sub, err := c.Submit(ctx, module, "Please", "ada")
	if err != nil || sub.Status != octopus.SubmissionInReview || len(sub.Checks) != 4 {
		t.Fatalf("got %+v, %v", sub, err)
	}
	if again, err := c.Submit(ctx, module, "", "ada"); err != nil || again.ID != sub.ID {
		t.Errorf("the same bytes again: %+v, %v", again, err)
	}
	_, err = c.Submit(ctx, tested(t, "1.0.0", 0, `{}`), "", "bob")
	wantError(t, err, octopus.CodeConflict, "in review already with other content, by ada")
	_, err = c.Resolve(ctx, "hello", "1.0.0")
	wantError(t, err, octopus.CodeNotFound, "no plugin")
	_, err = c.Module(ctx, sub.Digest)
	wantError(t, err, octopus.CodeNotFound, "")

	_, err = c.Approve(ctx, sub.ID, "", "ada")
	wantError(t, err, octopus.CodeDenied, "another administrator reviews it")
	wantError(t, c.Reject(ctx, sub.ID, "", "bob"), octopus.CodeInvalid, "Say in a comment")
	wantError(t, c.Withdraw(ctx, sub.ID, "bob"), octopus.CodeDenied, "Only ada")
	v, err := c.Approve(ctx, sub.ID, "Good", "bob")
	if err != nil || v.Version != "1.0.0" || v.CreatedBy != "ada" || v.Grant != nil {
		t.Fatalf("got %+v, %v", v, err)
	}
	if v, err := c.Resolve(ctx, "hello", ""); err != nil || v.Digest != sub.Digest {
		t.Errorf("after approval: %+v, %v", v, err)
	}
	_, err = c.Approve(ctx, sub.ID, "", "bob")
	wantError(t, err, octopus.CodeConflict, "not in review any more: it is published")
	_, err = c.Submit(ctx, module, "", "ada")
	wantError(t, err, octopus.CodeConflict, "published already")

	events, _, err := s.PluginEvents(ctx, "hello", store.Page{})
	if err != nil || len(events) != 2 || events[0].Kind != octopus.PluginSubmitted || events[1].Kind != octopus.PluginPublished || events[1].Actor != "bob" {
		t.Errorf("history %+v, %v", events, err)
	}
}

func TestSubmissionThatFails(t *testing.T) {
	t.Parallel()
	c, _ := queue(t, true)
	sub, err := c.Submit(t.Context(), tested(t, "1.0.0", 404, `{}`), "", "ada")
	if err != nil || sub.Status != octopus.SubmissionFailed {
		t.Fatalf("got %+v, %v", sub, err)
	}
	if last := sub.Checks[len(sub.Checks)-1]; last.Name != "case answers" || last.Status != octopus.CheckFailed || !strings.Contains(last.Message, "not 404") {
		t.Errorf("checks %+v", sub.Checks)
	}
	_, err = c.Approve(t.Context(), sub.ID, "", "bob")
	wantError(t, err, octopus.CodeConflict, "it is failed")
	// Once mended the version may come again; with self_review its author may approve it.
	sub, err = c.Submit(t.Context(), tested(t, "1.0.0", 200, `{}`), "", "ada")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Approve(t.Context(), sub.ID, "", "ada"); err != nil {
		t.Error(err)
	}
}

func TestSubmissionIsRejectedOrWithdrawn(t *testing.T) {
	t.Parallel()
	c, s := queue(t, false)
	module := tested(t, "1.0.0", 200, `{}`)
	for _, end := range []func(id string) error{
		func(id string) error { return c.Reject(t.Context(), id, "Not like this", "bob") },
		func(id string) error { return c.Withdraw(t.Context(), id, "ada") },
	} {
		sub, err := c.Submit(t.Context(), module, "", "ada")
		if err != nil {
			t.Fatal(err)
		}
		if err := end(sub.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Module(t.Context(), sub.Digest); octopus.CodeOf(err) != octopus.CodeNotFound {
			t.Errorf("its bytes: %v", err)
		}
	}
}

// TestAloneThereIsNobodyToAsk: while there is one administrator, uploads publish at once.
func TestAloneThereIsNobodyToAsk(t *testing.T) {
	t.Parallel()
	c, s := queue(t, false)
	_, err := c.Upload(t.Context(), tested(t, "1.0.0", 200, `{}`), "ada")
	wantError(t, err, octopus.CodeConflict, "Another administrator reviews")
	if _, err := s.UpdateUser(t.Context(), "bob", func(u *octopus.User) error { u.Active = false; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Upload(t.Context(), tested(t, "1.0.0", 200, `{}`), "ada"); err != nil {
		t.Error(err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	c, _ := open(t)
	v := upload(t, c, pack(t, "web", "1.0.0", `{"host":["disks"],"env":["TZ"]}`, ""))
	if err := c.Grant(t.Context(), v.Digest, spec.Capabilities{Env: []string{"TZ"}}, "ada"); err != nil {
		t.Fatal(err)
	}
	got, err := c.Compare(t.Context(), spec.Manifest{Name: "web", Capabilities: spec.Capabilities{Host: []string{"load"}, Env: []string{"TZ"}}})
	if err != nil || got.Before != "1.0.0" || len(got.Asks) != 2 || got.More() != 1 || len(got.Dropped) != 1 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for _, a := range got.Asks {
		if isEnv := strings.Contains(a.Phrase, "TZ"); a.New == isEnv || a.Granted != isEnv {
			t.Errorf("%+v", a)
		}
	}
	if got, err := c.Compare(t.Context(), spec.Manifest{Name: "new", Capabilities: spec.Capabilities{Env: []string{"TZ"}}}); err != nil || got.Before != "" || !got.Asks[0].New {
		t.Errorf("a new plugin: %+v, %v", got, err)
	}
}
