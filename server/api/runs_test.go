package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"octopus/sdk"
)

func TestRunFromStartToResult(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.agent("web-01", 2)
	run, err := w.client.StartRun(t.Context(), greet(map[string]any{"password": "hunter2", "lines": 3}), sdk.WithWait(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if run.Status != "succeeded" || run.Outcome != "succeeded" || run.Counts["succeeded"] != 1 || len(run.Executions) != 1 {
		t.Fatalf("run: %+v", run)
	}
	if run.CreatedBy != "ada" || run.Source != "api" || run.PluginVersion != "1.0.0" || run.ExecutionsURL == "" {
		t.Errorf("run: %+v", run)
	}
	x, err := w.client.Execution(t.Context(), run.Executions[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if x.Response == nil || x.Response.Message != "Hello." || x.AgentName != "web-01" || len(x.Attempts) != 1 || x.Attempts[0].Status != "succeeded" {
		t.Errorf("execution: %+v", x)
	}
	if strings.Contains(string(x.Params), "hunter2") || !strings.Contains(string(x.Params), "********") {
		t.Errorf("params are not masked: %s", x.Params)
	}
	if x.StartedAt.IsZero() || x.FinishedAt.IsZero() || x.Links.Logs != "/api/v1/executions/"+x.ID+"/logs" {
		t.Errorf("execution: %+v", x)
	}
	events, err := w.client.ExecutionEvents(t.Context(), x.ID)
	if err != nil || len(events.Items) < 3 {
		t.Errorf("events: %v %+v", err, events)
	}
	results, err := w.client.ExecutionResults(t.Context(), x.ID)
	if err != nil || len(results.Items) != 1 || string(results.Items[0].Value) != `{"k":"v"}` {
		t.Errorf("results: %v %+v", err, results)
	}
}

func TestCreatedAnswers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const body = `{"plugin":"hello","action":"greet","params":{"url":"https://x.test"}}`
	a := w.raw("POST", "/api/v1/runs", body)
	var run sdk.Run
	decode(t, a, &run)
	if a.StatusCode != 201 || a.Header.Get("Location") != "/api/v1/runs/"+run.ID || a.Header.Get("X-Request-Id") == "" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	if len(run.Executions) != 1 || run.Executions[0].Status != "queued" || run.Executions[0].Waiting == nil {
		t.Errorf("run: %s", a.body)
	}
	w.agent("busy", 1)
	if _, err := w.client.AgentAction(t.Context(), "busy", "drain"); err != nil {
		t.Fatal(err)
	}
	waits := sdk.StartRun{Work: greet(map[string]any{}).Work}
	waits.Target.Selector = "env=elsewhere"
	queued, err := w.client.StartRun(t.Context(), waits)
	if err != nil {
		t.Fatal(err)
	}
	var why sdk.Explanation
	eventually(t, "the new agent is known", func() bool {
		if why, err = w.client.ExplainExecution(t.Context(), queued.Executions[0].ID); err != nil {
			t.Fatal(err)
		}
		return len(why.Agents) == 1
	})
	if why.Agents[0].AgentName != "busy" || why.Agents[0].State != "no_match" || why.Next == nil || len(why.Steps) != 1 ||
		why.Summary != "No agent matches env=elsewhere. Add one or change the target." {
		t.Errorf("explain: %+v", why)
	}
	// A wait that ran out is still 201.
	if a := w.raw("POST", "/api/v1/runs", body, "Prefer", "wait=0.05"); a.StatusCode != 201 {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
	a = w.raw("POST", "/api/v1/runs", body, "Prefer", "return=minimal")
	if a.StatusCode != 201 || strings.Contains(a.body, `"executions":`) || strings.Contains(a.body, "params") {
		t.Errorf("minimal: %s", a.body)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const body = `{"plugin":"hello","action":"greet","params":{"url":"https://x.test","n":1}}`
	first := w.raw("POST", "/api/v1/runs", body, "Idempotency-Key", "k1")
	again := w.raw("POST", "/api/v1/runs", `{"action":"greet", "plugin":"hello","params":{"n":1,"url":"https://x.test"}}`, "Idempotency-Key", "k1")
	var a, b sdk.Run
	decode(t, first, &a)
	decode(t, again, &b)
	if first.StatusCode != 201 || again.StatusCode != 200 || again.Header.Get("Idempotent-Replay") != "true" || a.ID != b.ID {
		t.Errorf("%d %d %q %q", first.StatusCode, again.StatusCode, a.ID, b.ID)
	}
	// What changed since does not matter: the answer was given.
	w.raw("POST", "/api/v1/plugins/hello/disable", ``)
	replayed, refused := w.raw("POST", "/api/v1/runs", body, "Idempotency-Key", "k1"), w.raw("POST", "/api/v1/runs", body, "Idempotency-Key", "k4")
	reused := w.raw("POST", "/api/v1/runs", strings.Replace(body, "1}", "2}", 1), "Idempotency-Key", "k1")
	w.raw("POST", "/api/v1/plugins/hello/enable", ``)
	if reused.StatusCode != 409 || !strings.Contains(reused.body, "Idempotency-Key") {
		t.Errorf("with the plugin disabled, another body: %d %s", reused.StatusCode, reused.body)
	}
	if replayed.StatusCode != 200 || refused.StatusCode != 409 {
		t.Errorf("with the plugin disabled: %d for a replay, %d for a new run", replayed.StatusCode, refused.StatusCode)
	}
	other := w.raw("POST", "/api/v1/runs", strings.Replace(body, "1}", "2}", 1), "Idempotency-Key", "k1")
	if other.StatusCode != 409 || other.problem.Code != "conflict" {
		t.Errorf("another body: %d %s", other.StatusCode, other.body)
	}
	bad := w.raw("POST", "/api/v1/runs", body, "Idempotency-Key", "has space")
	if bad.StatusCode != 400 || bad.problem.Errors[0].Field != "Idempotency-Key" {
		t.Errorf("bad key: %d %s", bad.StatusCode, bad.body)
	}
	// Secrets are shown once: the repeat has the token, but not its secret.
	token := w.raw("POST", "/api/v1/tokens", `{"name":"ci"}`, "Idempotency-Key", "k2")
	repeat := w.raw("POST", "/api/v1/tokens", `{"name":"ci"}`, "Idempotency-Key", "k2")
	if token.StatusCode != 201 || !strings.Contains(token.body, `"secret":"oct_`) {
		t.Errorf("token: %d %s", token.StatusCode, token.body)
	}
	if repeat.StatusCode != 200 || strings.Contains(repeat.body, "secret") || repeat.Header.Get("Idempotent-Replay") != "true" {
		t.Errorf("repeat: %d %s", repeat.StatusCode, repeat.body)
	}
	// A create that failed gives its key back.
	if a := w.raw("POST", "/api/v1/users", `{"username":"bob","password":"short","role":"user"}`, "Idempotency-Key", "k3"); a.StatusCode != 422 {
		t.Errorf("weak password: %d %s", a.StatusCode, a.body)
	}
	if a := w.raw("POST", "/api/v1/users", `{"username":"bob","password":"long enough","role":"user"}`, "Idempotency-Key", "k3"); a.StatusCode != 201 {
		t.Errorf("corrected: %d %s", a.StatusCode, a.body)
	}
}

func TestRunEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	agent := w.agent("web-01", 4)
	run, err := w.client.StartRun(t.Context(), greet(map[string]any{"hold": true}))
	if err != nil {
		t.Fatal(err)
	}
	if run, err = w.client.CancelRun(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	if run, err = w.client.WaitRun(t.Context(), run.ID); err != nil || run.Status != "cancelled" {
		t.Fatalf("%v %+v", err, run)
	}
	held, err := w.client.StartRun(t.Context(), greet(map[string]any{"hold": true}))
	if err != nil {
		t.Fatal(err)
	}
	x, err := w.client.ForceClose(t.Context(), held.Executions[0].ID)
	if err != nil || x.Status != "cancelled" || x.Reason == nil || x.Reason.Code != "force_closed" {
		t.Fatalf("%v %+v", err, x)
	}
	if _, err := w.client.ForceClose(t.Context(), x.ID); !sdk.IsConflict(err) {
		t.Errorf("closed twice: %v", err)
	}
	agent.release()
	failed, err := w.client.StartRun(t.Context(), greet(map[string]any{"fail": true}), sdk.WithWait(time.Minute))
	if err != nil || failed.Status != "failed" {
		t.Fatalf("%v %+v", err, failed)
	}
	again, err := w.client.RetryRun(t.Context(), failed.ID, sdk.RetryRun{Only: "failed"}, sdk.WithWait(time.Minute))
	if err != nil || again.RetryOf != failed.ID || again.ID == failed.ID || !again.Ended() {
		t.Errorf("retry: %v %+v", err, again)
	}
	if again, err = w.client.RetryExecution(t.Context(), failed.Executions[0].ID); err != nil || again.RetryOf != failed.ID {
		t.Errorf("retry of an execution: %v %+v", err, again)
	}
	list, err := w.client.Runs(t.Context(), sdk.RunFilter{Status: []string{"failed"}, CreatedSince: time.Now().Add(-time.Hour)})
	if err != nil || len(list.Items) == 0 {
		t.Errorf("failed runs: %v %+v", err, list)
	}
}

// What a wait answers from memory is what the database has.
func TestWaitAnswersAsARead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.agent("web-01", 4)
	for _, params := range []string{`{"url":"https://example.com"}`, `{"url":"https://example.com","fail":true}`} {
		waited := w.raw("POST", "/api/v1/runs", `{"plugin":"hello","action":"greet","params":`+params+`}`, "Prefer", "wait=20")
		var run sdk.Run
		if err := json.Unmarshal([]byte(waited.body), &run); err != nil || !run.Ended() || len(run.Executions) != 1 || run.Executions[0].Response == nil {
			t.Fatalf("%v %s", err, waited.body)
		}
		if read := w.raw("GET", "/api/v1/runs/"+run.ID, ""); read.body != waited.body {
			t.Errorf("waited: %s\nread:   %s", waited.body, read.body)
		}
	}
}

func TestWaitGivesUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	run, err := w.client.StartRun(t.Context(), greet(map[string]any{}))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	seen, err := w.client.WaitRun(ctx, run.ID)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v %+v", err, seen)
	}
	a := w.raw("GET", "/api/v1/runs/"+run.ID+"?wait=0.05", "")
	if a.StatusCode != http.StatusOK || !strings.Contains(a.body, `"status":"queued"`) {
		t.Errorf("%d %s", a.StatusCode, a.body)
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := map[string]bool{}
	for range 7 {
		run, err := w.client.StartRun(t.Context(), greet(map[string]any{}))
		if err != nil {
			t.Fatal(err)
		}
		want[run.ID] = true
	}
	last, n := "", 0
	for run, err := range sdk.All(func(cursor string) (sdk.Page[sdk.Run], error) {
		return w.client.Runs(t.Context(), sdk.RunFilter{List: sdk.List{Limit: 3, Cursor: cursor}})
	}) {
		if err != nil {
			t.Fatal(err)
		}
		if !want[run.ID] || last != "" && run.ID >= last {
			t.Errorf("out of order: %s after %s", run.ID, last)
		}
		last, n = run.ID, n+1
	}
	if n != 7 {
		t.Errorf("%d runs, want 7", n)
	}
	executions, err := w.client.Executions(t.Context(), sdk.ExecutionFilter{Run: last, Status: []string{"queued", "running"}})
	if err != nil || len(executions.Items) != 1 {
		t.Errorf("%v %+v", err, executions)
	}
}
