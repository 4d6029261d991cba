//go:build linux

package e2e_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octopus/e2e/harness"
	"octopus/sdk"
)

// TestCompileCacheUnwritable takes an agent the folder that compiled modules are written into: what could not be started
// has not failed, is tried again although it has one attempt, and runs once the folder is back.
func TestCompileCacheUnwritable(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	w.Agent("web-01")
	fresh := filepath.Join(w.Folder, "agent-web-01", "cache", "sandbox", "fresh")
	away := fresh + ".away"
	if err := os.Rename(fresh, away); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fresh, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run, err := w.Client.StartRun(t.Context(), sdk.StartRun{Work: sdk.Work{Plugin: upload(t, w, "noop"), Action: "run"}})
	if err != nil {
		t.Fatal(err)
	}
	id := run.Executions[0].ID
	w.Until("it says that it could not start", func(ctx context.Context) bool {
		events, err := w.Client.ExecutionEvents(ctx, id)
		return err == nil && slices.ContainsFunc(events.Items, func(e sdk.Event) bool {
			return e.Kind == "retry" && strings.HasPrefix(e.Message, "Attempt 1 of 1 could not start; trying again in ")
		})
	})
	if err := os.Remove(fresh); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(away, fresh); err != nil {
		t.Fatal(err)
	}
	if got := w.Ended(run.ID); got.Status != "succeeded" {
		t.Errorf("after: %s %+v", got.Status, got.Executions)
	}
	x, err := w.Client.Execution(t.Context(), id)
	if err != nil || len(x.Attempts) < 2 || x.MaxAttempts != 1 {
		t.Fatalf("%v %+v", err, x)
	}
	if first := x.Attempts[0]; first.Status != "failed" || first.Reason == nil || first.Reason.Code != "sandbox_failed" || !first.StartedAt.IsZero() {
		t.Errorf("the first attempt: %+v %+v", first, first.Reason)
	}
}
