//go:build linux

package e2e_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/internal/stall"
	"octopus/sdk"
)

// TestAgentSettings starts a server with settings that only an agent shows, far from their defaults.
func TestAgentSettings(t *testing.T) {
	t.Parallel()
	w := harness.New(t, "--heartbeat", "300ms", "--retry-backoff", "30m", "--cancel-grace", "200ms", "--task-timeout", "2s")
	w.Agent("web-01")
	loop := upload(t, w, "loop")

	// agents.heartbeat: it is heard several times within what would be one heartbeat.
	heard := map[time.Time]bool{}
	w.Until("the agent is heard often", func(ctx context.Context) bool {
		g, err := w.Client.Agent(ctx, "web-01")
		if err == nil {
			heard[g.LastSeen] = true
		}
		return len(heard) >= 5
	})

	// tasks.timeout: where neither the call nor the plugin says.
	if run := w.Run(sdk.StartRun{Work: sdk.Work{Plugin: loop, Action: "run"}}); run.Outcome != "timed_out" || run.Executions[0].DurationMS > 20_000 {
		t.Errorf("%s after %.0f ms on the agent, want timed_out after 2 s", run.Outcome, run.Executions[0].DurationMS)
	}

	// tasks.cancel_grace: a plugin that does not listen is killed.
	run, err := w.Client.StartRun(t.Context(), sdk.StartRun{Work: sdk.Work{Plugin: loop, Action: "run", TimeoutSeconds: 600}})
	if err != nil {
		t.Fatal(err)
	}
	w.Until("it runs", func(ctx context.Context) bool { // it says nothing that one could wait for
		x, err := w.Client.Execution(ctx, run.Executions[0].ID)
		return err == nil && x.Status == "running"
	})
	stalled, began := stall.Watch(t), time.Now()
	if _, err := w.Client.CancelRun(t.Context(), run.ID); err != nil {
		t.Fatal(err)
	}
	if run = w.Ended(run.ID); run.Outcome != "cancelled" || time.Since(began) > 9*time.Second+stalled() {
		t.Errorf("%s after %s, want cancelled after 200 ms", run.Outcome, time.Since(began))
	}

	// tasks.retry_backoff: the second attempt is half an hour away, give or take its half.
	failing := echo(map[string]any{"message": "no", "status_code": 500})
	failing.MaxAttempts = 2
	again, err := w.Client.StartRun(t.Context(), failing)
	if err != nil {
		t.Fatal(err)
	}
	w.Until("the retry is announced", func(ctx context.Context) bool {
		events, err := w.Client.ExecutionEvents(ctx, again.Executions[0].ID)
		if err != nil {
			return false
		}
		for _, e := range events.Items {
			if e.Kind == "retry" {
				if !strings.Contains(e.Message, " min") {
					t.Errorf("%q, want a pause of minutes", e.Message)
				}
				return true
			}
		}
		return false
	})
}
