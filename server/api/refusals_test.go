package api_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// refusal is a request that must be refused, and how.
type refusal struct {
	name, method, path, body string
	headers                  []string
	status                   int
	code, field, says        string
}

// secret is sent where it must not come back.
const secret = "s3cr3t-value"

// TestRefusals: bad input is one clear sentence, with the code and the field, and never repeats what was sent.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, group := range [][]refusal{refusedRuns(), refusedBodies(), refusedQueries(), refusedResources()} {
		for _, tc := range group {
			t.Run(tc.name, func(t *testing.T) { tc.check(t, w) })
		}
	}
	if strings.Contains(w.log.String(), secret) || strings.Contains(w.log.String(), "request failed") {
		t.Errorf("log: %s", w.log)
	}
}

func (tc refusal) check(t *testing.T, w *world) {
	a := w.raw(tc.method, "/api/v1"+tc.path, tc.body, tc.headers...)
	p := a.problem
	if a.StatusCode != tc.status || p.Status != tc.status || tc.code != "" && p.Code != tc.code {
		t.Fatalf("%d %s", a.StatusCode, a.body)
	}
	if strings.Contains(a.body, secret) || strings.Contains(a.body, secret[:6]) && tc.name == "weak password" {
		t.Errorf("the value is repeated: %s", a.body)
	}
	if p.Detail == "" || p.RequestID == "" || p.Type != "about:blank" || p.Title == "" || !strings.ContainsAny(p.Detail[len(p.Detail)-1:], ".?") {
		t.Errorf("incomplete: %s", a.body)
	}
	if !strings.Contains(a.body, tc.says) {
		t.Errorf("%s does not say %q", a.body, tc.says)
	}
	if tc.field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != tc.field) {
		t.Errorf("field: %s, want %s", a.body, tc.field)
	}
}

// refusedRuns are what cannot be run.
func refusedRuns() []refusal {
	return []refusal{
		{"unknown plugin", "POST", "/runs", `{"plugin":"helo","action":"greet"}`, nil, 404, "not_found", "", "hello"},
		{"unknown action", "POST", "/runs", `{"plugin":"hello","action":"shout"}`, nil, 422, "invalid", "/action", "greet"},
		{"missing param", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{}}`, nil, 422, "invalid", "/params/url", "url"},
		{"wrong param", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{"url":"https://x","n":"` + secret + `"}}`, nil, 422, "invalid", "/params/n", ""},
		{"unknown param", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{"url":"https://x","m":1}}`, nil, 422, "invalid", "/params/m", ""},
		{"params no object", "POST", "/runs", `{"plugin":"hello","action":"greet","params":"` + secret + `"}`, nil, 422, "invalid", "/params", ""},
		{"wrong type", "POST", "/runs", `{"plugin":7,"action":"greet"}`, nil, 422, "invalid", "/plugin", "string"},
		{"missing field", "POST", "/runs", `{"action":"greet"}`, nil, 422, "invalid", "/plugin", "required"},
		{"unknown field", "POST", "/runs", `{"plugin":"hello","action":"greet","parms":{}}`, nil, 422, "invalid", "/parms", ""},
		{"field in capitals", "POST", "/runs", `{"Plugin":"hello","plugin":"hello","action":"greet"}`, nil, 422, "invalid", "/Plugin", ""},
		{"unknown nested field", "POST", "/runs", `{"plugin":"hello","action":"greet","target":{"mod":"all"}}`, nil, 422, "invalid", "/target/mod", ""},
		{"bad mode", "POST", "/runs", `{"plugin":"hello","action":"greet","target":{"mode":"` + secret + `"}}`, nil, 422, "invalid", "/target/mode", "any, all, agent"},
		{"bad selector", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{"url":"https://x"},"target":{"selector":"a in ("}}`, nil, 422, "invalid", "/target/selector", ""},
		{"an agent of no mode", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{"url":"https://x"},"target":{"agent":"web-01"}}`, nil, 422, "invalid", "/target/agent", "mode agent"},
		{"an agent and all", "POST", "/tasks", `{"name":"x","plugin":"hello","action":"greet","params":{"url":"https://x"},"target":{"mode":"all","agent":"web-01"}}`, nil, 422, "invalid", "/target/agent", "mode agent"},
		{"seed without room", "POST", "/runs", `{"plugin":"hello","action":"greet","seed":18446744073709551616}`, nil, 422, "invalid", "/seed", "/seed: must be a whole number from 0 to 18446744073709551615."},
		{"clock of year 1", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{"url":"https://x"},"clock":"0001-01-01T00:00:00Z"}`, nil, 422, "invalid", "/clock", "/clock: must be a time between the years 1678 and 2261."},
		{"clock of a task", "POST", "/tasks", `{"name":"x","plugin":"hello","action":"greet","params":{"url":"https://x"},"clock":"0000-12-31T23:00:00-01:00"}`, nil, 422, "invalid", "/clock", "1678"},
		{"late clock", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{"url":"https://x"},"clock":"2300-01-01T00:00:00Z"}`, nil, 422, "invalid", "/clock", "The clock must be between the years 1678 and 2261."},
		{"no clock", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{"url":"https://x"},"clock":"` + secret + `"}`, nil, 422, "invalid", "/clock", "RFC 3339"},
		{"label without a name", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{"url":"https://x"},"labels":{"":"x"}}`, nil, 422, "invalid", "/labels", "A label needs a name"},
		{"label of two lines", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{"url":"https://x"},"labels":{"env":"` + secret + `\nx"}}`, nil, 422, "invalid", "/labels", "one line"},
		{"label of a task", "POST", "/tasks", `{"name":"x","plugin":"hello","action":"greet","params":{"url":"https://x"},"labels":{"two words":"x"}}`, nil, 422, "invalid", "/labels", "A label's name"},
		{"label of a join token", "POST", "/agents/tokens", `{"labels":{"-":"x"}}`, nil, 422, "invalid", "/labels", "A label's name"},
		{"fuel without room", "POST", "/runs", `{"plugin":"hello","action":"greet","fuel":9223372036854775808}`, nil, 422, "invalid", "/fuel", "/fuel: must be a whole number of at most 9223372036854775807."},
		{"count without room", "POST", "/runs", `{"plugin":"hello","action":"greet","target":{"count":1e30}}`, nil, 422, "invalid", "/target/count", ""},
		{"unknown agent", "POST", "/runs", `{"plugin":"hello","action":"greet","params":{"url":"https://x"},"target":{"mode":"agent","agent":"nobody"}}`, nil, 404, "not_found", "/target/agent", "nobody"},
		{"negative timeout", "POST", "/runs", `{"plugin":"hello","action":"greet","timeout_seconds":-1}`, nil, 422, "invalid", "/timeout_seconds", "/timeout_seconds: must be at least 0."},
		{"endless timeout", "POST", "/runs", `{"plugin":"hello","action":"greet","timeout_seconds":1e12}`, nil, 422, "invalid", "/timeout_seconds", "must be at most 2592000."},
		{"empty name", "POST", "/tasks", `{"name":"","plugin":"hello","action":"greet"}`, nil, 422, "invalid", "/name", "/name: must not be empty."},
		{"retry what is not idempotent", "POST", "/runs", `{"plugin":"hello","action":"once","on_lost":"retry"}`, nil, 422, "invalid", "/on_lost", "idempotent"},
	}
}

// refusedBodies are bodies that are not what they should be.
func refusedBodies() []refusal {
	giant := `{"plugin":"hello","action":"greet","params":{"url":"` + strings.Repeat("x", 1<<20) + `"}}`
	return []refusal{
		{"twice the same key", "POST", "/runs", `{"plugin":"hello","plugin":"` + secret + `","action":"greet"}`, nil, 400, "malformed", "", "twice"},
		{"no JSON", "POST", "/runs", `{"plugin": ` + secret, nil, 400, "malformed", "", "not valid JSON"},
		{"two values", "POST", "/runs", `{"plugin":"hello","action":"greet"} {}`, nil, 400, "malformed", "", "not valid JSON"},
		{"a list", "POST", "/runs", `[]`, nil, 422, "invalid", "", "The body: must be of type object."},
		{"deep nesting", "POST", "/runs", strings.Repeat(`{"plugin":`, 200) + "1" + strings.Repeat("}", 200), nil, 400, "malformed", "", "nested"},
		{"no body", "POST", "/runs", ``, nil, 400, "malformed", "", "body is required"},
		{"giant body", "POST", "/runs", giant, nil, 413, "too_large", "", "1024 KiB"},
		{"compressed", "POST", "/runs", "\x1f\x8b\x08", []string{"Content-Encoding", "gzip"}, 415, "malformed", "", "must not be compressed"},
		{"not JSON at all", "POST", "/runs", `plugin=hello`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "malformed", "", "application/json"},
	}
}

// refusedQueries are reads.
func refusedQueries() []refusal {
	return []refusal{
		{"bad cursor", "GET", "/runs?cursor=" + secret, ``, nil, 422, "invalid", "cursor", "cursor"},
		{"empty cursor", "GET", "/runs?cursor=e30", ``, nil, 422, "invalid", "cursor", "cursor"},
		{"bad limit", "GET", "/runs?limit=501", ``, nil, 422, "invalid", "limit", "limit: must be at most 500."},
		{"no number", "GET", "/runs?limit=many", ``, nil, 422, "invalid", "limit", "limit: must be of type integer."},
		{"bad status", "GET", "/executions?status=failed,broken", ``, nil, 422, "invalid", "status", "timed_out"},
		{"bad time", "GET", "/executions?created_since=" + secret, ``, nil, 422, "invalid", "created_since", "24h"},
		{"bad sort", "GET", "/runs?sort=name", ``, nil, 422, "invalid", "sort", "created_at"},
		{"unknown query", "GET", "/runs?stauts=failed", ``, nil, 422, "invalid", "stauts", ""},
		{"unknown run", "GET", "/runs/run_nothing", ``, nil, 404, "not_found", "", ""},
		{"unknown task filter", "GET", "/runs?task=nothing", ``, nil, 404, "not_found", "", ""},
		{"unknown route", "GET", "/rums", ``, nil, 404, "not_found", "", "openapi.json"},
		{"wrong method", "PUT", "/runs", ``, nil, 405, "malformed", "", "GET, POST"},
		{"bad topic", "GET", "/events?topics=everything", ``, nil, 422, "invalid", "topics", "executions"},
		{"no topics", "GET", "/events", ``, nil, 422, "invalid", "topics", ""},
	}
}

// refusedResources are requests about other things.
func refusedResources() []refusal {
	return []refusal{
		{"bad ETag", "PATCH", "/tasks/x", `{}`, []string{"If-Match", secret}, 400, "malformed", "If-Match", ""},
		{"no module", "POST", "/plugins", `not wasm`, []string{"Content-Type", "application/wasm"}, 422, "invalid", "", ""},
		{"weak password", "POST", "/users", `{"username":"bob","password":"` + secret[:6] + `","role":"user"}`, nil, 422, "invalid", "/password", "10 characters"},
		{"bad user name", "POST", "/users", `{"username":"Bob Smith!","password":"long enough","role":"user"}`, nil, 422, "invalid", "/username", ""},
		{"bad role", "POST", "/users", `{"username":"bob","password":"long enough","role":"boss"}`, nil, 422, "invalid", "/role", ""},
		{"the last administrator", "DELETE", "/users/ada", ``, nil, 409, "conflict", "", "last administrator"},
		{"unknown region", "GET", "/cache/nothing", ``, nil, 404, "not_found", "", ""},
		{"null byte", "GET", "/tasks/a%00b", ``, nil, 400, "malformed", "", ""},
		{"no text", "GET", "/tasks?q=%ff", ``, nil, 400, "malformed", "", ""},
		{"null byte in a body", "POST", "/runs", `{"plugin":"a\u0000b","action":"greet"}`, nil, 400, "malformed", "", "NUL"},
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	task, err := w.client.CreateTask(t.Context(), sdk.NewTask{Name: "greet", Work: greet(map[string]any{}).Work})
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[octopus.Role]string{}
	for _, role := range octopus.Roles {
		u, err := w.auth.CreateUser(t.Context(), w.admin, newUser("a-"+string(role), role))
		if err != nil {
			t.Fatal(err)
		}
		tokens[role] = w.tokenOf(subjectOf(u))
	}
	const run = `{"plugin":"hello","action":"greet","params":{"url":"https://x.test"}}`
	for _, tc := range []struct {
		method, path, body string
		least              octopus.Role
	}{
		{"GET", "/runs", ``, octopus.RoleViewer},
		{"GET", "/agents", ``, octopus.RoleViewer},
		{"GET", "/plugins/hello", ``, octopus.RoleViewer},
		{"GET", "/me", ``, octopus.RoleViewer},
		{"POST", "/tokens", `{"name":"x"}`, octopus.RoleViewer},
		{"POST", "/tasks/" + task.ID + "/run", `{}`, octopus.RoleUser},
		{"POST", "/runs", run, octopus.RoleOperator},
		{"PATCH", "/tasks/" + task.ID, `{"description":"x"}`, octopus.RoleOperator},
		{"POST", "/agents/tokens", `{}`, octopus.RoleOperator},
		{"GET", "/agents/tokens", ``, octopus.RoleOperator},
		{"POST", "/plugins/hello/disable", ``, octopus.RoleAdmin},
		{"POST", "/plugins/hello/enable", ``, octopus.RoleAdmin},
		{"POST", "/grants", `{"plugin":"hello"}`, octopus.RoleAdmin},
		{"GET", "/users", ``, octopus.RoleAdmin},
		{"DELETE", "/cache/users", ``, octopus.RoleAdmin},
	} {
		for _, role := range octopus.Roles {
			a := w.raw(tc.method, "/api/v1"+tc.path, tc.body, "Authorization", "Bearer "+tokens[role])
			may := role.Includes(tc.least)
			if may && a.StatusCode >= 300 {
				t.Errorf("%s %s as %s: %d %s", tc.method, tc.path, role, a.StatusCode, a.body)
			}
			if !may && (a.StatusCode != 403 || a.problem.Code != "denied" || !strings.Contains(a.problem.Detail, string(tc.least))) {
				t.Errorf("%s %s as %s: %d %s", tc.method, tc.path, role, a.StatusCode, a.body)
			}
			if may && tc.path == "/plugins/hello/disable" { // put back what the next lines need
				w.raw("POST", "/api/v1/plugins/hello/enable", "")
			}
		}
		if a := w.raw(tc.method, "/api/v1"+tc.path, tc.body, "Authorization", ""); a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s as nobody: %d %s", tc.method, tc.path, a.StatusCode, a.body)
		}
	}
}

// TestOwnRuns: a user may cancel what it started, not what others did.
func TestOwnRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	task, err := w.client.CreateTask(t.Context(), sdk.NewTask{Name: "greet", Work: greet(map[string]any{}).Work})
	if err != nil {
		t.Fatal(err)
	}
	bob := w.user("bob", octopus.RoleUser)
	own, err := bob.RunTask(t.Context(), task.Name, sdk.RunTask{})
	if err != nil {
		t.Fatal(err)
	}
	others, err := w.client.RunTask(t.Context(), task.ID, sdk.RunTask{Params: sdk.JSON(map[string]any{"n": 5})})
	if err != nil || !strings.Contains(string(others.Params), `"n":5`) || !strings.Contains(string(others.Params), "example.com") {
		t.Fatalf("%v %s", err, others.Params)
	}
	if _, err := bob.CancelRun(t.Context(), others.ID); !sdk.IsDenied(err) {
		t.Errorf("another's run: %v", err)
	}
	if _, err := bob.CancelExecution(t.Context(), others.Executions[0].ID); !sdk.IsDenied(err) {
		t.Errorf("another's execution: %v", err)
	}
	if run, err := bob.CancelRun(t.Context(), own.ID); err != nil || run.Status != "cancelled" {
		t.Errorf("own run: %v %+v", err, run)
	}
	if _, err := bob.RetryRun(t.Context(), own.ID, sdk.RetryRun{}); err != nil {
		t.Errorf("retry of a task's run: %v", err)
	}
	adhoc, err := w.client.StartRun(t.Context(), greet(map[string]any{}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bob.RetryRun(t.Context(), adhoc.ID, sdk.RetryRun{}); !sdk.IsDenied(err) {
		t.Errorf("retry of an ad-hoc run: %v", err)
	}
}

// TestRunOtherwise: one run of a task has another sandbox, clock and seed where whoever asks may run without a task.
func TestRunOtherwise(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seed := uint64(7)
	work := greet(map[string]any{}).Work
	work.Sandbox, work.Clock, work.Seed = "process", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), &seed
	task, err := w.client.CreateTask(t.Context(), sdk.NewTask{Name: "greet", Work: work})
	if err != nil {
		t.Fatal(err)
	}
	clients := map[octopus.Role]*sdk.Client{octopus.RoleUser: w.user("uma", octopus.RoleUser), octopus.RoleOperator: w.user("olaf", octopus.RoleOperator)}
	full, any, null := "full", "", sdk.JSON(nil)
	for _, tc := range []struct {
		name string
		run  sdk.RunTask
		want octopus.Work
	}{
		{"sandbox", sdk.RunTask{Sandbox: &full}, octopus.Work{Sandbox: octopus.SandboxFull, Repeat: octopus.Repeat{Clock: work.Clock, Seed: &seed}}},
		{"any sandbox", sdk.RunTask{Sandbox: &any}, octopus.Work{Repeat: octopus.Repeat{Clock: work.Clock, Seed: &seed}}},
		{"clock", sdk.RunTask{Clock: sdk.JSON(work.Clock.AddDate(1, 0, 0))}, octopus.Work{Sandbox: octopus.SandboxProcess, Repeat: octopus.Repeat{Clock: work.Clock.AddDate(1, 0, 0), Seed: &seed}}},
		{"real", sdk.RunTask{Clock: null, Seed: null}, octopus.Work{Sandbox: octopus.SandboxProcess}},
	} {
		for role, client := range clients {
			run, err := client.RunTask(t.Context(), task.ID, tc.run)
			if role == octopus.RoleUser {
				if !sdk.IsDenied(err) || !strings.Contains(err.Error(), "operator") {
					t.Errorf("%s as %s: %v", tc.name, role, err)
				}
				continue
			}
			if err != nil {
				t.Fatalf("%s as %s: %v", tc.name, role, err)
			}
			stored, err := w.store.Run(t.Context(), run.ID)
			if err != nil || stored.Sandbox != tc.want.Sandbox || !reflect.DeepEqual(stored.Repeat, tc.want.Repeat) {
				t.Errorf("%s: %v %q %+v", tc.name, err, stored.Sandbox, stored.Repeat)
			}
		}
	}
	if run, err := clients[octopus.RoleUser].RunTask(t.Context(), task.ID, sdk.RunTask{DryRun: true}); err != nil || !run.DryRun {
		t.Errorf("as it is: %v", err)
	}
	if after, err := w.store.Task(t.Context(), task.ID); err != nil || after.Revision != 1 || after.Sandbox != octopus.SandboxProcess || *after.Seed != seed {
		t.Errorf("the task was changed: %v %+v", err, after)
	}
	for body, field := range map[string]string{
		`{"sandbox":"fullest"}`: "/sandbox", `{"clock":"noon"}`: "/clock", `{"clock":"0001-01-01T00:00:00Z"}`: "/clock", `{"seed":-1}`: "/seed",
	} {
		a := w.raw("POST", "/api/v1/tasks/greet/run", body)
		if a.StatusCode != 422 || len(a.problem.Errors) != 1 || a.problem.Errors[0].Field != field {
			t.Errorf("%s: %d %s", body, a.StatusCode, a.body)
		}
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	weak, err := w.client.CreateToken(t.Context(), sdk.NewToken{Name: "reader", Role: "viewer"})
	if err != nil {
		t.Fatal(err)
	}
	reader := w.as(weak.Secret)
	me, err := reader.Me(t.Context())
	if err != nil || me.Username != "ada" || me.Role != "admin" || me.EffectiveRole != "viewer" || me.TokenID != weak.ID {
		t.Errorf("%v %+v", err, me)
	}
	if _, err := reader.CreateToken(t.Context(), sdk.NewToken{Name: "more", Role: "admin"}); !sdk.IsDenied(err) {
		t.Errorf("a token made a stronger one: %v", err)
	}
	if _, err := reader.LoginLink(t.Context()); !sdk.IsDenied(err) {
		t.Errorf("a weak token made a login link: %v", err)
	}
	link, err := w.client.LoginLink(t.Context())
	if err != nil || !strings.HasPrefix(link.URL, "http://octopus.test/login/link/") {
		t.Errorf("%v %+v", err, link)
	}
	list, err := w.client.Tokens(t.Context())
	if err != nil || len(list.Items) != 2 || list.Items[0].Secret != "" {
		t.Errorf("%v %+v", err, list)
	}
	if err := w.client.RevokeToken(t.Context(), weak.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Me(t.Context()); !sdk.IsDenied(err) || !strings.Contains(err.Error(), "revoked") {
		t.Errorf("a revoked token: %v", err)
	}
	if a := w.raw("GET", "/api/v1/me", "", "Authorization", "Basic YTpi"); a.StatusCode != 401 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

// TestForeignPage: a browser's cookie does not help another site's page.
func TestForeignPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, err := w.auth.CreateUser(t.Context(), w.admin, newUser("bob", octopus.RoleOperator))
	if err != nil {
		t.Fatal(err)
	}
	cookie, err := w.auth.Login(t.Context(), u.Username, "correct horse", "192.0.2.1", "test")
	if err != nil {
		t.Fatal(err)
	}
	const run = `{"plugin":"hello","action":"greet","params":{"url":"https://x.test"}}`
	session := []string{"Authorization", "", "Cookie", "octopus_session=" + cookie}
	if a := w.raw("POST", "/api/v1/runs", run, append(session, "Sec-Fetch-Site", "cross-site")...); a.StatusCode != 403 {
		t.Errorf("cross-site: %d %s", a.StatusCode, a.body)
	}
	if a := w.raw("POST", "/api/v1/runs", run, append(session, "Sec-Fetch-Site", "same-origin")...); a.StatusCode != 201 {
		t.Errorf("same origin: %d %s", a.StatusCode, a.body)
	}
	if a := w.raw("GET", "/api/v1/me", "", append(session, "Sec-Fetch-Site", "cross-site")...); a.StatusCode != 200 {
		t.Errorf("a read: %d %s", a.StatusCode, a.body)
	}
}
