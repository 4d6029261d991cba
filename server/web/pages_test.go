package web

import (
	"net/http"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// seed gives a site something to show: a task, an agent, and runs of one and of many executions.
func (s *site) seed() (one, many octopus.Run, agent octopus.Agent) {
	s.t.Helper()
	ctx := s.t.Context()
	var err error
	if agent, err = storetest.Agent(s.store, "web-1"); err != nil {
		s.t.Fatal(err)
	}
	if one, _, err = s.store.CreateRun(ctx, storetest.NewRun(s.store, 1, nil)); err != nil {
		s.t.Fatal(err)
	}
	made := storetest.NewRun(s.store, 3, nil)
	if many, _, err = s.store.CreateRun(ctx, made); err != nil {
		s.t.Fatal(err)
	}
	for _, step := range []store.StepFunc{storetest.Offer(agent.ID), storetest.Accept, storetest.End(octopus.Succeeded)} {
		if _, err := s.store.Step(ctx, made.Executions[0].ID, step); err != nil {
			s.t.Fatal(err)
		}
	}
	_, _, err = s.store.CreateTask(ctx, octopus.Task{
		ID: octopus.NewID(octopus.PrefixTask, s.store.Now()), Name: "nightly", Type: octopus.TaskAdhoc, Enabled: true,
		Work: octopus.Work{Plugin: "all-kinds", Action: "do", Params: []byte(`{"url":"http://x.test","secret":"hunter2"}`)},
	}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return one, many, agent
}

func TestEveryPage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, many, agent := s.seed()
	b := s.as(octopus.RoleAdmin)
	user, err := s.store.User(t.Context(), "the-admin")
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"/":                                "Run something",
		"/run":                             "choose-all-kinds",
		"/run?plugin=all-kinds":            `value="http://octopus.test"`,
		"/run?from=" + one.ID:              "There is no plugin", // noop is not in this catalogue: a sentence, no crash
		"/tasks":                           "nightly",
		"/tasks?text=nothing":              "No task matches",
		"/tasks/new":                       "choose-all-kinds",
		"/tasks/new?plugin=all-kinds":      "Save",
		"/tasks/nightly":                   "any one agent",
		"/tasks/nightly/edit":              "Edit nightly",
		"/runs":                            many.ID,
		"/runs?status=failed":              "Nothing matches",
		"/runs/" + one.ID:                  "Parameters",
		"/runs/" + many.ID:                 "3 executions",
		"/executions":                      "noop",
		"/executions?status=succeeded":     "succeeded",
		"/agents":                          "web-1",
		"/agents?view=tiles":               "web-1",
		"/agents?selector=%21%21":          "problem",
		"/agents/new":                      "How many machines?",
		"/agents/" + agent.ID:              "What ran here",
		"/plugins":                         "not granted",
		"/plugins/all-kinds":               "http to any host",
		"/grants":                          "Nothing was granted",
		"/users":                           "the-admin",
		"/users/" + user.ID:                "Deactivate",
		"/profile":                         "API tokens",
		"/system":                          "plugin data",
		"/search?q=night":                  "/tasks/",
		"/search?q=" + one.ID:              "/runs/" + one.ID,
		"/parts/matching?target.selector=": "1 agent matches",
	} {
		t.Run(path, func(t *testing.T) {
			p := b.get(path)
			if !strings.Contains(p.body, text) {
				t.Errorf("%d, without %q:\n%s", p.StatusCode, text, p.body)
			}
			if p.StatusCode >= 500 {
				t.Errorf("answered %d", p.StatusCode)
			}
			checkMarkup(t, p)
		})
	}
	if p := b.get("/tasks/nightly"); strings.Contains(p.body, "hunter2") {
		t.Error("a secret parameter is shown")
	}
	if p := b.get("/tasks/nightly/edit"); strings.Contains(p.body, "hunter2") {
		t.Error("a secret parameter is in the form")
	}
	b.get("/no/such/page").has(t, http.StatusNotFound, "No page has this address")
	b.get("/runs/run_nothing").has(t, http.StatusNotFound)
}

// checkMarkup: what is sent obeys its own policy.
func checkMarkup(t *testing.T, p page) {
	t.Helper()
	if got := p.Header.Get("Content-Security-Policy"); got != policy {
		t.Errorf("the policy is %q", got)
	}
	if problems := offences(p.body); len(problems) > 0 {
		t.Errorf("the page breaks its policy: %v", problems)
	}
}

func TestDoor(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.get("/tasks").has(t, http.StatusOK, "Set up Octopus", "The server printed the code")
	code, err := s.auth.SetupCode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.post("/setup", "code", "wrong", "username", "ada", "password", "correct horse battery").has(t, http.StatusForbidden, "Set up Octopus", `value="ada"`)
	b.post("/setup", "code", code, "username", "ada", "password", "short").has(t, http.StatusUnprocessableEntity, "password-error")
	b.post("/setup", "code", code, "username", "ada", "password", "correct horse battery").has(t, http.StatusOK, "Welcome to Octopus", "Run something")
	b.get("/setup").has(t, http.StatusOK, "Run something")
	b.post("/logout").has(t, http.StatusOK, "Sign in")
	if p := b.get("/tasks?text=x"); p.Request.URL.Query().Get("next") != "/tasks?text=x" {
		t.Errorf("the way back is lost: %s", p.Request.URL)
	}
	b.post("/login", "username", "ada", "password", "wrong horse").has(t, http.StatusUnauthorized, `value="ada"`, "problem")
	if p := b.post("/login", "username", "ada", "password", "correct horse battery", "next", "//evil.test"); p.Request.URL.Path != "/" {
		t.Errorf("signing in led to %s", p.Request.URL)
	}
}

func TestLoginLink(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.as(octopus.RoleAdmin)
	secret, err := s.auth.LoginLink(t.Context(), "the-admin")
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	for range 2 { // looking does not spend it
		b.get("/login/link/"+secret).has(t, http.StatusOK, "Sign in as the-admin")
	}
	b.post("/login/link/"+secret).has(t, http.StatusOK, "Run something")
	s.browser().post("/login/link/"+secret).has(t, http.StatusForbidden, "does not sign in")
}

func TestRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, _, agent := s.seed()
	viewer, operator := s.as(octopus.RoleViewer), s.as(octopus.RoleOperator)
	for _, path := range []string{
		"/run", "/tasks", "/tasks/nightly/run", "/tasks/nightly/delete", "/runs/" + one.ID + "/cancel", "/runs/" + one.ID + "/retry",
		"/agents/" + agent.ID + "/disable", "/agents/" + agent.ID + "/remove", "/agents/new", "/plugins/all-kinds/grant",
		"/plugins/all-kinds/disable", "/plugins/switch", "/plugins/restore", "/grants/sha256:0/revoke", "/users", "/system/cache/clear",
	} {
		viewer.post(path, "plugin", "all-kinds", "version", "").has(t, http.StatusForbidden, "This needs the role")
	}
	for _, path := range []string{"/plugins/all-kinds/grant", "/plugins/all-kinds/disable", "/users", "/system/cache/clear"} {
		operator.post(path).has(t, http.StatusForbidden, "This needs the role admin")
	}
	viewer.get("/users").has(t, http.StatusForbidden)
	if p := viewer.get("/"); !strings.Contains(p.body, `data-role="viewer"`) {
		t.Error("the page does not say the viewer's role")
	}
}

func TestCrossSite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(octopus.RoleAdmin)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.base+"/system/cache/clear", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	b.do(r).has(t, http.StatusForbidden)
}
