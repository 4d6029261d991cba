package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"octopus/e2e/harness"
	"octopus/sdk"
)

// TestWholePath starts a server and an agent as separate processes, and runs http-check over REST.
func TestWholePath(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	w.Agent("web-01")
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.Write([]byte("all is well")) }))
	defer site.Close()

	run := w.Run(sdk.StartRun{Work: sdk.Work{Plugin: "http-check", Action: "check", Params: sdk.JSON(map[string]any{"url": site.URL})}})
	if run.Status != "succeeded" || len(run.Executions) != 1 {
		t.Fatalf("run ended as %s: %+v", run.Status, run.Executions)
	}
	x, err := w.Client.Execution(t.Context(), run.Executions[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if x.AgentName != "web-01" || x.Attempt != 1 || x.Response == nil || x.Response.StatusCode != 200 {
		t.Errorf("execution = %+v", x)
	}
	var result struct {
		Status int `json:"status"`
	}
	if err := json.Unmarshal(x.Response.Result, &result); err != nil || result.Status != http.StatusOK {
		t.Errorf("result = %s, %v", x.Response.Result, err)
	}
	if x.StartedAt.IsZero() || x.FinishedAt.Before(x.StartedAt) || x.QueuedAt.Before(x.CreatedAt) {
		t.Errorf("times out of order: created %v queued %v started %v finished %v", x.CreatedAt, x.QueuedAt, x.StartedAt, x.FinishedAt)
	}
}

// TestLogsArriveInOrder follows an execution that writes many lines.
func TestLogsArriveInOrder(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	w.Agent("web-01")
	run := w.Run(echo(map[string]any{"message": "count", "log_lines": 500}))
	var lines []sdk.LogLine
	err := w.Client.FollowLogs(t.Context(), run.Executions[0].ID, 0, func(l sdk.LogLine) error {
		if !l.End {
			lines = append(lines, l)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) != 500 {
		t.Fatalf("%d log lines, want 500", len(lines))
	}
	for i := 1; i < len(lines); i++ {
		if lines[i].Seq < lines[i-1].Seq || lines[i].Time.Before(lines[i-1].Time) {
			t.Fatalf("line %d came out of order: %+v after %+v", i, lines[i], lines[i-1])
		}
	}
}

// TestTargets runs on any two, on all, and on one agent by name.
func TestTargets(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	for _, name := range []string{"web-01", "web-02", "db-01"} {
		w.StartAgent(name, "--label", "role="+name[:strings.Index(name, "-")])
	}
	for _, name := range []string{"web-01", "web-02", "db-01"} {
		w.Online(name)
	}
	for _, tc := range []struct {
		name   string
		target sdk.Target
		agents int
		prefix string
	}{
		{"any", sdk.Target{}, 1, ""},
		{"any two", sdk.Target{Mode: "any", Count: 2}, 2, ""},
		{"all web", sdk.Target{Mode: "all", Selector: "role=web"}, 2, "web-"},
		{"all", sdk.Target{Mode: "all"}, 3, ""},
		{"one", sdk.Target{Mode: "agent", Agent: "db-01"}, 1, "db-01"},
	} {
		start := echo(map[string]any{"message": "hi"})
		start.Target = tc.target
		run := w.Run(start)
		seen := make(map[string]bool)
		for _, x := range run.Executions {
			seen[x.AgentName] = true
			if !strings.HasPrefix(x.AgentName, tc.prefix) {
				t.Errorf("%s: ran on %s", tc.name, x.AgentName)
			}
		}
		if run.Status != "succeeded" || len(seen) != tc.agents {
			t.Errorf("%s: %s on %v, want %d agents", tc.name, run.Status, seen, tc.agents)
		}
	}
}

// TestWaitsForAgent starts work before there is any agent: it says why it waits, and runs when one comes.
func TestWaitsForAgent(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	run, err := w.Client.StartRun(t.Context(), echo(map[string]any{"message": "hi"}))
	if err != nil {
		t.Fatal(err)
	}
	x, err := w.Client.Execution(t.Context(), run.Executions[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if x.Status != "queued" || x.Waiting == nil || x.Waiting.Code != "no_agent" || !strings.HasSuffix(x.Waiting.Message, ".") {
		t.Errorf("waiting = %+v in %s", x.Waiting, x.Status)
	}
	w.Agent("late")
	if got := w.Ended(run.ID); got.Status != "succeeded" {
		t.Errorf("run ended as %s", got.Status)
	}
}

// TestCancel ends a running execution, and one that never started.
func TestCancel(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	w.Agent("web-01")
	run := w.Running(echo(map[string]any{"message": "slow", "delay_seconds": 60, "log_lines": 600}))
	if _, err := w.Client.CancelRun(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	if got := w.Ended(run.ID); got.Status != "cancelled" {
		t.Errorf("run ended as %s: %+v", got.Status, got.Executions)
	}

	nowhere := echo(map[string]any{"message": "hi"})
	nowhere.Target.Selector = "role=none"
	waiting, err := w.Client.StartRun(t.Context(), nowhere)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Client.CancelRun(t.Context(), waiting.ID); err != nil {
		t.Fatal(err)
	}
	got := w.Ended(waiting.ID)
	if x := got.Executions[0]; x.Status != "cancelled" || x.Attempt != 0 {
		t.Errorf("never started, but ended as %s after %d attempts", x.Status, x.Attempt)
	}
}

// echo is a run of the echo plugin.
func echo(params map[string]any) sdk.StartRun {
	return sdk.StartRun{Work: sdk.Work{Plugin: "echo", Action: "echo", Params: sdk.JSON(params)}}
}
