package api_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk"
)

func TestTasks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	work := greet(map[string]any{"password": "hunter2", "n": 1}).Work
	work.Target = sdk.Target{Mode: "all", Selector: "env=prod"}
	work.TimeoutSeconds = 2.5
	task, err := w.client.CreateTask(t.Context(), sdk.NewTask{Name: "Nightly", Folder: "ops", Labels: map[string]string{"team": "a", "x": "y"}, Work: work})
	if err != nil {
		t.Fatal(err)
	}
	if task.Revision != 1 || !task.Enabled || task.Type != "adhoc" || task.TimeoutSeconds != 2.5 || task.Target.Mode != "all" || strings.Contains(string(task.Params), "hunter2") {
		t.Errorf("%+v", task)
	}
	if _, err := w.client.CreateTask(t.Context(), sdk.NewTask{Name: "Nightly", Work: work}); !sdk.IsConflict(err) {
		t.Errorf("the name twice: %v", err)
	}
	// The masked password that a form sends back stays what it is; null removes.
	text := "every night"
	changed, err := w.client.UpdateTask(t.Context(), "Nightly", 1, sdk.TaskPatch{
		Description: &text, Labels: map[string]*string{"x": nil, "z": &text}, Params: sdk.JSON(map[string]any{"password": "********", "n": nil}),
	})
	if err != nil || changed.Revision != 2 || changed.Description != text || changed.Labels["team"] != "a" || changed.Labels["x"] != "" || changed.UpdatedBy != "ada" {
		t.Fatalf("%v %+v", err, changed)
	}
	stored, err := w.store.Task(t.Context(), task.ID)
	if err != nil || !strings.Contains(string(stored.Params), "hunter2") || strings.Contains(string(stored.Params), `"n"`) {
		t.Errorf("%v %s", err, stored.Params)
	}
	_, err = w.client.UpdateTask(t.Context(), task.ID, 1, sdk.TaskPatch{Description: &text})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Status != 412 || e.Code != "stale" {
		t.Errorf("stale: %v", err)
	}
	got := w.raw("GET", "/api/v1/tasks/"+task.ID, "")
	if got.Header.Get("ETag") != `"2"` {
		t.Errorf("ETag %q", got.Header.Get("ETag"))
	}
	bad := w.raw("PATCH", "/api/v1/tasks/"+task.ID, `{"params":{"url":null}}`, "Content-Type", "application/merge-patch+json")
	if bad.StatusCode != 422 || bad.problem.Errors[0].Field != "/params/url" {
		t.Errorf("%d %s", bad.StatusCode, bad.body)
	}
	list, err := w.client.Tasks(t.Context(), sdk.TaskFilter{Text: "night", Folder: "ops", Selector: "team=a"})
	if err != nil || len(list.Items) != 1 || strings.Contains(string(list.Items[0].Params), "hunter2") {
		t.Errorf("%v %+v", err, list)
	}
	any, fuel := sdk.Target{}, int64(5_000_000)
	if changed, err = w.client.UpdateTask(t.Context(), task.ID, 0, sdk.TaskPatch{Target: &any, Fuel: &fuel}); err != nil || changed.Fuel != fuel {
		t.Fatalf("%v %+v", err, changed)
	}
	w.asks(t, task.ID)
	run, err := w.client.RunTask(t.Context(), "Nightly", sdk.RunTask{})
	if err != nil || run.TaskID != task.ID || run.TaskName != "Nightly" {
		t.Fatalf("%v %+v", err, run)
	}
	if runs, err := w.client.Runs(t.Context(), sdk.RunFilter{Task: "Nightly"}); err != nil || len(runs.Items) != 1 {
		t.Errorf("%v %+v", err, runs)
	}
	if err := w.client.DeleteTask(t.Context(), task.ID, 1); err == nil {
		t.Error("deleted by a stale ETag")
	}
	if err := w.client.DeleteTask(t.Context(), task.ID, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Task(t.Context(), task.ID); !sdk.IsNotFound(err) {
		t.Errorf("after the end: %v", err)
	}
	if run, err := w.client.Run(t.Context(), run.ID); err != nil || run.TaskName != "Nightly" {
		t.Errorf("history: %v %+v", err, run)
	}
}

func TestAgents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.agent("web-01", 3)
	a, err := w.client.Agent(t.Context(), "web-01")
	if err != nil || a.Status != "online" || a.Slots != 3 || a.Free != 3 || a.Labels["env"] != "test" || a.Facts.Policy == "" || a.RemoteAddr != "192.0.2.1" {
		t.Fatalf("%v %+v", err, a)
	}
	for _, tc := range []struct {
		action string
		ok     func(sdk.Agent) bool
	}{
		{"drain", func(a sdk.Agent) bool { return a.Drained }},
		{"undrain", func(a sdk.Agent) bool { return !a.Drained }},
		{"disable", func(a sdk.Agent) bool { return a.Status == "disabled" && !a.Enabled }},
		{"enable", func(a sdk.Agent) bool { return a.Status == "online" }},
		{"restart", func(a sdk.Agent) bool { return true }},
		{"revoke", func(a sdk.Agent) bool { return a.Revoked && a.Status == "disabled" }},
	} {
		if a, err := w.client.AgentAction(t.Context(), "web-01", tc.action); err != nil || !tc.ok(a) {
			t.Errorf("%s: %v %+v", tc.action, err, a)
		}
	}
	if _, err := w.client.AgentAction(t.Context(), "web-01", "enable"); !sdk.IsConflict(err) {
		t.Errorf("enabled after it was revoked: %v", err)
	}
	if a, err = w.client.RenameAgent(t.Context(), "web-01", "front"); err != nil || a.Name != "front" {
		t.Errorf("%v %+v", err, a)
	}
	if clients := w.raw("GET", "/api/v1/clients?selector=env%3Dtest", ""); !strings.Contains(clients.body, `"name":"front"`) || strings.Contains(clients.body, "allow: all") {
		t.Errorf("%s", clients.body)
	}
	sessions, err := w.client.AgentSessions(t.Context(), a.ID)
	if err != nil || len(sessions.Items) != 1 || sessions.Items[0].RemoteAddr != "192.0.2.1" {
		t.Errorf("%v %+v", err, sessions)
	}
	none, uses := sdk.NewJoinToken{Name: "rack", Labels: map[string]string{"rack": "7"}}, 5
	none.MaxUses = &uses
	token, err := w.client.CreateJoinToken(t.Context(), none)
	if err != nil || !strings.HasPrefix(token.Secret, "join_") || token.MaxUses != 5 || token.ExpiresAt.IsZero() {
		t.Errorf("%v %+v", err, token)
	}
	if err := w.client.RevokeJoinToken(t.Context(), token.ID); err != nil {
		t.Error(err)
	}
	if list, err := w.client.JoinTokens(t.Context()); err != nil || len(list.Items) != 2 || list.Items[0].Secret != "" {
		t.Errorf("%v %+v", err, list)
	}
	if err := w.client.RemoveAgent(t.Context(), "front"); err != nil {
		t.Error(err)
	}
	if _, err := w.client.Agent(t.Context(), a.ID); !sdk.IsNotFound(err) {
		t.Errorf("after the end: %v", err)
	}
}

func TestPlugins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, err := w.client.Plugin(t.Context(), "hello")
	if err != nil || len(p.Versions) != 1 || p.Source != "uploaded" || !p.Enabled || len(p.Versions[0].Manifest) == 0 {
		t.Fatalf("%v %+v", err, p)
	}
	digest := p.Versions[0].Digest
	grant, err := w.client.Grant(t.Context(), sdk.NewGrant{Plugin: "hello"})
	if err != nil || grant.Digest != digest || grant.GrantedBy != "ada" || grant.Version != "1.0.0" {
		t.Errorf("%v %+v", err, grant)
	}
	if list, err := w.client.Grants(t.Context(), sdk.GrantFilter{}); err != nil || len(list.Items) != 1 {
		t.Errorf("%v %+v", err, list)
	}
	if err := w.client.RevokeGrant(t.Context(), digest); err != nil {
		t.Error(err)
	}
	if err := w.client.EnablePlugin(t.Context(), "hello", "", false); err != nil {
		t.Error(err)
	}
	if _, err := w.client.StartRun(t.Context(), greet(map[string]any{})); err == nil || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("a disabled plugin: %v", err)
	}
	if err := w.client.EnablePlugin(t.Context(), "hello", "", true); err != nil {
		t.Error(err)
	}
	if err := w.client.EnablePlugin(t.Context(), "hello", "1.0.0", false); err != nil {
		t.Error(err)
	}
	if v, err := w.client.PluginVersion(t.Context(), "hello", "1.0.0"); err != nil || v.Status != "disabled" {
		t.Errorf("%v %+v", err, v)
	}
	if _, err := w.client.PluginVersion(t.Context(), "hello", "9.9.9"); !sdk.IsNotFound(err) {
		t.Errorf("%v", err)
	}
	if _, err := w.client.Plugin(t.Context(), "hallo"); !sdk.IsNotFound(err) || !strings.Contains(err.Error(), "hello") {
		t.Errorf("%v", err)
	}
	big := w.raw("POST", "/api/v1/plugins", string(bytes.Repeat([]byte{0}, 32<<20+1)), "Content-Type", "application/wasm")
	if big.StatusCode != 413 {
		t.Errorf("%d %s", big.StatusCode, big.body)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, err := w.client.CreateUser(t.Context(), sdk.NewUser{Username: "Grace", Password: "long enough", Role: "user", Email: "g@x.test"})
	if err != nil || u.Username != "grace" || !u.Active {
		t.Fatalf("%v %+v", err, u)
	}
	role, off := "operator", false
	if u, err = w.client.UpdateUser(t.Context(), "grace", sdk.UserPatch{Role: &role}); err != nil || u.Role != "operator" {
		t.Errorf("%v %+v", err, u)
	}
	if _, err := w.client.UpdateUser(t.Context(), "ada", sdk.UserPatch{Active: &off}); !sdk.IsConflict(err) {
		t.Errorf("the last administrator: %v", err)
	}
	grace := w.as(w.tokenOf(subjectOf(octopus.User{ID: u.ID, Username: "grace", Role: octopus.RoleOperator})))
	zone, theme := "Europe/Berlin", "dark"
	me, err := grace.UpdateMe(t.Context(), sdk.MePatch{Zone: &zone, Theme: &theme, Params: sdk.JSON(map[string]any{"preferences": map[string]any{}})})
	if err != nil || me.Zone != zone || me.Theme != theme {
		t.Errorf("%v %+v", err, me)
	}
	if err := grace.ChangePassword(t.Context(), sdk.ChangePassword{Old: "wrong", New: "another one"}); err == nil || !strings.Contains(err.Error(), "/old") && !strings.Contains(err.Error(), "present password") {
		t.Errorf("%v", err)
	}
	if err := grace.ChangePassword(t.Context(), sdk.ChangePassword{Old: "long enough", New: "another one"}); err != nil {
		t.Error(err)
	}
	if _, err := w.client.UpdateUser(t.Context(), "grace", sdk.UserPatch{Active: &off}); err != nil {
		t.Error(err)
	}
	if _, err := grace.Me(t.Context()); !sdk.IsDenied(err) {
		t.Errorf("an account that is switched off: %v", err)
	}
	if err := w.client.DeleteUser(t.Context(), "grace"); err != nil {
		t.Error(err)
	}
	if list, err := w.client.Users(t.Context()); err != nil || len(list.Items) != 1 {
		t.Errorf("%v %+v", err, list)
	}
}

func TestSystem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if s, err := w.client.System(t.Context()); err != nil || s.Version != "1" || !strings.HasPrefix(s.Database, "sqlite ") {
		t.Errorf("%v %+v", err, s)
	}
	if _, err := w.client.StartRun(t.Context(), greet(map[string]any{})); err != nil {
		t.Fatal(err)
	}
	if o, err := w.client.Overview(t.Context()); err != nil || o.Queued != 1 {
		t.Errorf("%v %+v", err, o)
	}
	if list, err := w.client.CacheRegions(t.Context()); err != nil || len(list.Items) != 6 {
		t.Errorf("%v %+v", err, list)
	}
	if err := w.client.SetBroadcast(t.Context(), "motd/today", sdk.SetCacheEntry{Value: sdk.JSON("hi")}); err != nil {
		t.Fatal(err)
	}
	r, err := w.client.CacheRegion(t.Context(), "broadcast")
	if err != nil || len(r.Entries) != 1 || r.Entries[0].Key != "motd/today" || string(r.Entries[0].Value) != `"hi"` {
		t.Errorf("%v %+v", err, r)
	}
	if err := w.client.DeleteCacheEntry(t.Context(), "broadcast", "motd/today"); err != nil {
		t.Error(err)
	}
	if err := w.client.ClearCache(t.Context(), "plugin data"); err != nil {
		t.Error(err)
	}
	if err := w.client.DeleteCacheEntry(t.Context(), "sessions", "x"); !sdk.IsConflict(err) {
		t.Errorf("%v", err)
	}
	for _, path := range []string{"/healthz", "/readyz", "/openapi.json", "/api/v1/openapi.json"} {
		if a := w.raw("GET", path, "", "Authorization", ""); a.StatusCode != 200 || a.body == "" {
			t.Errorf("%s: %d %s", path, a.StatusCode, a.body)
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/api/v1/healthz", "/api/v1/readyz"} {
		if a := w.raw("HEAD", path, "", "Authorization", ""); a.StatusCode != 200 || a.body != "" {
			t.Errorf("HEAD %s: %d %q", path, a.StatusCode, a.body)
		}
	}
}

// asks changes what a task asks of its sandbox, and takes it back.
func (w *world) asks(t *testing.T, task string) {
	t.Helper()
	full, any, at := "full", "", time.Date(2026, 1, 1, 0, 0, 0, 5, time.UTC)
	got, err := w.client.UpdateTask(t.Context(), task, 0, sdk.TaskPatch{Sandbox: &full, Clock: sdk.JSON(at), Seed: sdk.JSON(uint64(math.MaxUint64))})
	if err != nil || got.Sandbox != "full" || !got.Clock.Equal(at) || got.Seed == nil || *got.Seed != math.MaxUint64 {
		t.Fatalf("%v %+v", err, got)
	}
	for body, field := range map[string]string{
		`{"sandbox":"fullest"}`: "/sandbox", `{"clock":"noon"}`: "/clock", `{"clock":"0001-01-01T00:00:00Z"}`: "/clock", `{"seed":-1}`: "/seed",
	} {
		bad := w.raw("PATCH", "/api/v1/tasks/"+task, body, "Content-Type", "application/merge-patch+json")
		if bad.StatusCode != 422 || len(bad.problem.Errors) != 1 || bad.problem.Errors[0].Field != field {
			t.Errorf("%s: %d %s", body, bad.StatusCode, bad.body)
		}
	}
	null := json.RawMessage("null")
	got, err = w.client.UpdateTask(t.Context(), task, 0, sdk.TaskPatch{Sandbox: &any, Clock: null, Seed: null})
	if err != nil || got.Sandbox != "" || !got.Clock.IsZero() || got.Seed != nil {
		t.Fatalf("%v %+v", err, got)
	}
}
