package web

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// filled is a run form that is right.
func filled(more ...string) []string {
	return append([]string{
		"plugin", "all-kinds", "version", "", "action", "do", "p.url", "http://x.test", "p.follow.shown", "1",
		"target", "any", "target.count", "1", "target.selector", "", "on_lost", "fail",
	}, more...)
}

func TestRunForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(octopus.RoleAdmin)
	b.get("/run?plugin=all-kinds").has(t, http.StatusOK, "all-kinds needs http to any host.", `data-testid="grant"`)
	b.post("/run", filled()...).has(t, http.StatusUnprocessableEntity, "needs http to any host", `value="http://x.test"`)

	// The button in the form grants in place.
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/plugins/all-kinds/grant?version=", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("HX-Request", "true")
	b.do(r).has(t, http.StatusOK, "Granted.")
	if p := b.get("/run?plugin=all-kinds"); strings.Contains(p.body, "missing-grant") {
		t.Error("the grant is still missing")
	}

	// Nothing typed is lost, and each mistake is said where it was made.
	p := b.post("/run", filled("p.count", "many", "p.headers", "{", "p.note", "keep me", "p.tags", "a\nb", "timeout", "soon", "fuel", "lots",
		"sandbox", "fullest", "clock", "noon", "seed", "-1")...)
	p.has(t, http.StatusUnprocessableEntity, "This must be a whole number.", "This is not valid JSON", "keep me", "a\nb", `value="soon"`, "This must be a time such as 90s", "This must be a whole number such as 1000000000.", `value="lots"`, `value="many"`,
		"The sandbox is full, filtered, process or basic", "This must be a time such as 2026-01-01T00:00:00Z.", `value="noon"`, "This must be a whole number, at least 0.", `value="-1"`)
	checkMarkup(t, p)
	b.post("/run", filled("p.count", "99")...).has(t, http.StatusUnprocessableEntity, "f-p.count-error")

	for _, clock := range []string{"3000-01-01T00:00:00Z", "0001-01-01T00:00:00Z"} {
		b.post("/run", filled("clock", clock)...).has(t, http.StatusUnprocessableEntity, "The clock must be between the years 1678 and 2261.")
	}

	b.post("/run", filled("target.selector", "env=prod", "p.count", "3", "p.secret", "hunter2", "sandbox", "filtered", "clock", "2026-01-01T00:00:00+01:00", "seed", "18446744073709551615")...).
		has(t, http.StatusOK, "queued", "env=prod", "started by the-admin via ui", "filtered or better", "frozen at 2025-12-31T23:00:00Z", "from the seed 18446744073709551615")
	runs, _, err := s.store.Runs(t.Context(), store.RunFilter{}, store.Page{})
	if err != nil || len(runs) != 1 {
		t.Fatalf("%d runs, %v", len(runs), err)
	}
	run, err := s.store.Run(t.Context(), runs[0].ID) // lists carry no parameters
	if err != nil {
		t.Fatal(err)
	}
	var params map[string]any
	if err := json.Unmarshal(run.Params, &params); err != nil {
		t.Fatal(err)
	}
	if params["count"] != 3.0 || params["follow"] != false || params["secret"] != "hunter2" {
		t.Errorf("the run got %v", params)
	}
	page := b.get("/runs/" + runs[0].ID)
	if strings.Contains(page.body, "hunter2") || !strings.Contains(page.body, "••••") {
		t.Error("the secret is not masked")
	}
	b.get("/run?from="+runs[0].ID).has(t, http.StatusOK, `value="http://x.test"`, `value="env=prod"`,
		`value="filtered" selected`, `value="2025-12-31T23:00:00Z"`, `value="18446744073709551615"`)
	b.post("/runs/"+runs[0].ID+"/cancel").has(t, http.StatusOK, "cancelled")
	b.post("/runs/"+runs[0].ID+"/retry").has(t, http.StatusOK, "an earlier run")
}

func TestTaskForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.grant()
	b := s.as(octopus.RoleOperator)
	task := func(more ...string) []string { return filled(append([]string{"enabled", "true"}, more...)...) }
	b.post("/tasks", task("name", "")...).has(t, http.StatusUnprocessableEntity, "A task needs a name.")
	b.post("/tasks", task("name", "probe", "labels", "nonsense")...).has(t, http.StatusUnprocessableEntity, "Labels are key=value")
	b.post("/tasks", task("name", "probe", "labels", "team=web", "p.secret", "hunter2", "folder", "checks")...).has(t, http.StatusOK, "Saved", "team=web", "••••")
	b.post("/tasks", task("name", "probe")...).has(t, http.StatusConflict, "f-name-error")

	made, err := s.store.Task(t.Context(), "probe")
	if err != nil {
		t.Fatal(err)
	}
	// A secret that the form does not show stays as it was.
	b.post("/tasks/"+made.ID, task("name", "probe", "revision", "1", "description", "asks")...).has(t, http.StatusOK, "Saved as revision 2", "asks")
	kept, err := s.store.Task(t.Context(), "probe")
	if err != nil || !strings.Contains(string(kept.Params), "hunter2") {
		t.Errorf("the secret was lost: %s %v", kept.Params, err)
	}
	b.post("/tasks/"+made.ID, task("name", "probe", "revision", "1", "description", "too late")...).
		has(t, http.StatusPreconditionFailed, "Somebody else changed this task", "too late")

	b.post("/tasks/"+made.ID+"/disable").has(t, http.StatusOK, "Disabled")
	b.post("/tasks/"+made.ID+"/enable").has(t, http.StatusOK, "Enabled")
	b.post("/tasks/"+made.ID+"/run").has(t, http.StatusOK, "probe", "queued")
	b.post("/tasks/"+made.ID+"/delete").has(t, http.StatusOK, "Deleted")
	b.get("/tasks/"+made.ID).has(t, http.StatusOK, "This task was deleted") // its runs still lead here
	b.get("/tasks/"+made.ID+"/edit").has(t, http.StatusNotFound)
}

func TestAgentPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, _, agent := s.seed()
	b := s.as(octopus.RoleOperator)
	b.post("/agents/new", "count", "none").has(t, http.StatusUnprocessableEntity, "Say how many machines")
	p := b.post("/agents/new", "count", "3", "labels", "env=prod")
	p.has(t, http.StatusOK, "curl -fsSL http://octopus.test/install.sh | sh -s -- --token join_", "install.ps1", "of 3", "topics=joined%3A")
	checkMarkup(t, p)
	for server, want := range map[string]string{
		"http://127.0.0.1:8080": "only this machine can reach", "http://[::1]:80": "only this machine can reach", "http://localhost": "only this machine",
		"http://octopus.test": "plain http", "https://octopus.test": "", "https://127.0.0.1": "only this machine",
	} {
		if got := joinWarning(server); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q", server, got)
		}
	}
	at := "/agents/" + agent.ID
	b.post(at+"/drain").has(t, http.StatusOK, "Take work again")
	b.post(at+"/undrain").has(t, http.StatusOK, "Drain")
	b.post(at+"/disable").has(t, http.StatusOK, "disabled")
	b.post(at+"/enable").has(t, http.StatusOK, "Enabled")
	b.post(at, "name", "web-2", "labels", "a=b").has(t, http.StatusOK, "web-2", "a=b")
	refused := b.post(at, "name", "two words", "labels", "a=b, c") // shown again as typed, with both errors
	refused.has(t, http.StatusUnprocessableEntity, "name has no spaces", `value="two words"`, `value="a=b, c"`, "f-labels-error")
	checkMarkup(t, refused)
	b.post("/agents/new", "count", "2", "labels", "env=prod, role=web").has(t, http.StatusOK, "--uses 2 --label env=prod --label role=web")
	b.post(at+"/restart").has(t, http.StatusOK, "web-2") // not connected: a sentence, not a crash
	b.post(at+"/remove").has(t, http.StatusOK, "Removed")
}

func TestProfileAndUsers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(octopus.RoleAdmin)
	b.post("/profile", "name", "Ada", "email", "", "zone", "Nowhere/Land").has(t, http.StatusUnprocessableEntity, "f-zone-error", `value="Nowhere/Land"`)
	b.post("/profile", "name", "Ada L.", "email", "ada@x.test", "zone", "Europe/Berlin").has(t, http.StatusOK, "Saved.", `data-zone="Europe/Berlin"`, "Ada L.")
	b.post("/profile/theme", "theme", "dark").has(t, http.StatusNoContent)
	b.get("/").has(t, http.StatusOK, `data-theme="dark"`)
	b.post("/profile/tokens", "name", "ci", "role", "viewer").has(t, http.StatusOK, "shown only this once", "oct_")
	b.post("/profile/password", "old", "wrong", "password", "another good password").has(t, http.StatusUnprocessableEntity, "f-old-error")
	b.post("/users", "username", "Bad Name", "password", "correct horse battery", "role", "user").has(t, http.StatusUnprocessableEntity, "f-username-error")
	b.post("/users", "username", "bob", "password", "correct horse battery", "role", "user").has(t, http.StatusOK, "Created bob.")
	bob, err := s.store.User(t.Context(), "bob")
	if err != nil {
		t.Fatal(err)
	}
	b.post("/users/"+bob.ID, "name", "Bob", "email", "", "role", "operator").has(t, http.StatusOK, "Saved.")
	b.post("/users/"+bob.ID+"/deactivate").has(t, http.StatusOK, "Deactivated")
	b.post("/users/"+bob.ID+"/activate").has(t, http.StatusOK, "Activated")
	b.post("/users/"+bob.ID+"/delete").has(t, http.StatusOK, "Deleted.")
}

// FuzzDecodeParams: whatever is sent, the decoder makes valid JSON of the known names, or says what is wrong.
func FuzzDecodeParams(f *testing.F) {
	f.Add(`{"properties":{"a":{"type":"integer"},"b":{"type":"array","items":{"type":"string"}}},"required":["a"]}`, "p.a=1&p.b=x%0Ay")
	f.Add(`{"properties":{"o":{"type":"object"},"e":{"enum":[1,"x",null]},"t":true}}`, "p.o={}&p.e=x&p.t=7")
	f.Add(`{"properties":{"a/b~c":{"type":"number","default":1e400}}}`, "p.a%2Fb~c=1e999")
	f.Add(`{"properties":[]}`, "p.=")
	f.Fuzz(func(t *testing.T, raw, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		props := properties(json.RawMessage(raw))
		params, problems := decodeParams(props, form)
		var out map[string]json.RawMessage
		if err := json.Unmarshal(params, &out); err != nil {
			t.Fatalf("%s: %v", params, err)
		}
		names := make(map[string]bool)
		for _, p := range props {
			names[p.name] = true
			p.field(out[p.name], "")
		}
		for name := range out {
			if !names[name] && len(names) > 0 {
				t.Fatalf("%q came from nowhere", name)
			}
		}
		for _, text := range problems {
			if text == "" {
				t.Fatal("a problem without a sentence")
			}
		}
		shownParams(props, params)
	})
}

// FuzzLocal: a way back never leads to another site.
func FuzzLocal(f *testing.F) {
	for _, s := range []string{"/", "//x.test", "/\\x.test", "http://x.test", "/runs?status=failed", "/%2f/x", "\t//x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, path string) {
		to := local(path)
		base, _ := url.Parse("http://octopus.test/login")
		at, err := base.Parse(to)
		if err != nil || at.Host != "octopus.test" || at.Scheme != "http" || strings.ContainsAny(to, "\\\r\n") {
			t.Fatalf("%q leads to %q", path, to)
		}
	})
}
