package storetest

import (
	"fmt"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// testPast stores runs that have ended; afterwards they are as if they had run here.
func testPast(t *testing.T, s *store.Store) {
	at := s.Now().Add(-time.Hour).Truncate(time.Microsecond)
	var past []store.PastRun
	for i := range 40 { // more than one statement's worth
		run := octopus.Run{ID: fmt.Sprintf("run_%026d", i), Work: octopus.Work{Plugin: "noop", Version: "1.0.0", Action: "run"},
			CreatedBy: "ada", CreatedAt: at, StartedAt: at, FinishedAt: at.Add(time.Second)}
		p := store.PastRun{Run: run}
		for j, status := range []octopus.Status{octopus.Succeeded, octopus.Failed} {
			x := octopus.Execution{ID: fmt.Sprintf("exe_%024d%02d", i, j), Plugin: "noop", PluginVersion: "1.0.0", Action: "run", Status: status,
				AgentID: "agt_1", AgentName: "web-01", Attempt: 1, Fence: 1, CreatedAt: at, QueuedAt: at, GoAt: at, StartedAt: at, FinishedAt: at.Add(time.Second)}
			p.Executions = append(p.Executions, store.PastExecution{
				Execution: x, Events: []octopus.Event{{Kind: "queued", Message: "Queued.", At: at}, {Kind: string(status), Message: "Ended.", At: x.FinishedAt}},
				Attempts: []octopus.Attempt{{ExecutionID: x.ID, Number: 1, Fence: 1, AgentID: "agt_1", Status: status, GoAt: at, FinishedAt: x.FinishedAt}},
			})
		}
		past = append(past, p)
	}
	check(t, s.AddPast(t.Context(), past))
	run, err := s.Run(t.Context(), past[39].Run.ID)
	check(t, err)
	if run.Status() != octopus.RunFailed || run.Total != 2 || run.Counts[octopus.Succeeded] != 1 || run.Plugin != "noop" || !run.FinishedAt.Equal(at.Add(time.Second)) {
		t.Fatalf("run %+v", run)
	}
	x, err := s.Execution(t.Context(), past[39].Executions[1].Execution.ID)
	check(t, err)
	if x.Status != octopus.Failed || x.RunID != run.ID || x.AgentName != "web-01" || !x.StartedAt.Equal(at) {
		t.Fatalf("execution %+v", x)
	}
	events, err := s.Events(t.Context(), x.ID)
	check(t, err)
	attempts, err := s.Attempts(t.Context(), x.ID)
	check(t, err)
	if len(events) != 2 || len(attempts) != 1 || attempts[0].Status != octopus.Failed {
		t.Fatalf("events %+v, attempts %+v", events, attempts)
	}
	failed, _, err := s.Executions(t.Context(), store.ExecutionFilter{Statuses: []octopus.Status{octopus.Failed}}, store.Page{Limit: 100})
	check(t, err)
	equal(t, "failed executions", len(failed), 40)
	o, err := s.Overview(t.Context())
	check(t, err)
	if o.ByStatus24h[octopus.Succeeded] != 40 || o.ByStatus24h[octopus.Failed] != 40 || o.Queued+o.Running != 0 {
		t.Fatalf("overview %+v", o)
	}
	live := past[0]
	live.Run.ID, live.Executions[0].Execution.ID, live.Executions[0].Execution.Status = "run_live", "exe_live", octopus.Running
	if s.AddPast(t.Context(), []store.PastRun{live}) == nil {
		t.Fatal("an execution that runs was taken for history")
	}
}
