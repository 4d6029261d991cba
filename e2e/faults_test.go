package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/sdk"
)

// TestServerKilledMidRun kills the server while a plugin runs: after a restart the execution has its true result.
func TestServerKilledMidRun(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	w.Agent("web-01")
	address := w.Address
	run := w.Running(echo(map[string]any{"message": "survivor", "delay_seconds": 15, "log_lines": 150}))
	w.Server.Kill()
	w.StartServer(address)
	got := w.Ended(run.ID)
	if x := got.Executions[0]; x.Status != "succeeded" || x.Attempt != 1 {
		t.Errorf("ended as %s after %d attempts: %+v", x.Status, x.Attempt, x.Reason)
	}
}

// TestAgentKilledMidRun kills an agent while it runs: when it is back its execution is lost, with the reason, and
// one that may be retried runs again.
func TestAgentKilledMidRun(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	first := w.Agent("web-01")
	lost := w.Running(echo(map[string]any{"message": "slow", "delay_seconds": 800, "log_lines": 8000}))
	arrived, url := holdsFirst(t)
	retried, err := w.Client.StartRun(t.Context(), sdk.StartRun{Work: sdk.Work{
		Plugin: "http-check", Action: "check", Params: sdk.JSON(map[string]any{"url": url}), OnLost: "retry", MaxAttempts: 2}})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-arrived:
	case <-time.After(harness.Patience):
		t.Fatal("the first attempt asked nobody")
	}
	first.Kill()
	w.Agent("web-01")

	if x := w.Ended(lost.ID).Executions[0]; x.Status != "lost" || x.Reason == nil || x.Reason.Code != "agent_restarted" {
		t.Errorf("ended as %s: %+v", x.Status, x.Reason)
	}
	if x := w.Ended(retried.ID).Executions[0]; x.Status != "succeeded" || x.Attempt != 2 {
		t.Errorf("ended as %s after %d attempts: %+v", x.Status, x.Attempt, x.Reason)
	}
}

// holdsFirst is a site that never answers its first visitor, and says when that one has come; the others it answers at once.
func holdsFirst(t *testing.T) (arrived <-chan struct{}, url string) {
	t.Helper()
	came, visits := make(chan struct{}), new(atomic.Int64)
	site := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if visits.Add(1) == 1 {
			close(came)
			<-r.Context().Done() // it has gone
		}
	}))
	t.Cleanup(site.Close)
	return came, site.URL
}

// TestJoinTokens refuses a wrong token with the server's sentence.
func TestJoinTokens(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	w.Admin.JoinToken = "octj_wrong"
	p := w.StartAgent("web-01")
	if code := p.Wait(); code == 0 {
		t.Error("an agent with a wrong token ended with exit code 0")
	}
	if out := strings.Join(p.Lines(), "\n"); !strings.Contains(out, "join token") {
		t.Errorf("no sentence about the join token:\n%s", out)
	}
}

// TestTwoMachinesOneKey copies an agent's folder to a second machine: it is refused, and both places say why.
func TestTwoMachinesOneKey(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	first := w.Agent("web-01")
	first.Stop()
	if err := os.CopyFS(filepath.Join(w.Folder, "agent-copy"), os.DirFS(filepath.Join(w.Folder, "agent-web-01"))); err != nil {
		t.Fatal(err)
	}
	w.Agent("web-01")
	second := w.StartAgent("copy")
	second.WaitLine("runs on two machines")
	agent, err := w.Client.Agent(t.Context(), "web-01")
	if err != nil {
		t.Fatal(err)
	}
	if agent.Status != "online" || !strings.Contains(agent.LastRefusal, "two machines") {
		t.Errorf("agent is %s, last refusal %q", agent.Status, agent.LastRefusal)
	}
}

// TestAgentStopsCleanly lets a stopping agent finish what it runs.
func TestAgentStopsCleanly(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	p := w.Agent("web-01", "--stop-grace", "3m")
	run := w.Running(echo(map[string]any{"message": "finish me", "delay_seconds": 12, "log_lines": 60}))
	if code := p.Stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if got := w.Ended(run.ID); got.Status != "succeeded" {
		t.Errorf("run ended as %s: %+v", got.Status, got.Executions)
	}
}

// TestBadInput is refused with a sentence that names what is wrong, and leaves nothing behind.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	for _, tc := range []struct {
		name  string
		start sdk.StartRun
		want  string
	}{
		{"unknown plugin", sdk.StartRun{Work: sdk.Work{Plugin: "http-chek", Action: "check"}}, "http-check"},
		{"unknown action", sdk.StartRun{Work: sdk.Work{Plugin: "echo", Action: "shout"}}, "echo"},
		{"wrong params", echo(map[string]any{"message": "hi", "delay_seconds": "soon"}), "/params/delay_seconds"},
		{"bad selector", sdk.StartRun{Work: sdk.Work{Plugin: "echo", Action: "echo", Params: sdk.JSON(map[string]any{"message": "hi"}), Target: sdk.Target{Selector: "a in ("}}}, "selector"},
	} {
		_, err := w.Client.StartRun(t.Context(), tc.start)
		if err == nil || !strings.Contains(describe(err), tc.want) {
			t.Errorf("%s: %s, want a sentence with %q", tc.name, describe(err), tc.want)
		}
	}
	list, err := w.Client.Runs(t.Context(), sdk.RunFilter{})
	if err != nil || len(list.Items) != 0 {
		t.Errorf("refused work left %d runs, %v", len(list.Items), err)
	}
}
