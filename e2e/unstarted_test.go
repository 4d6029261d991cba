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

// TestNeverStarted takes an agent the folder that compiled modules, or modules, are written into: what could not be
// started has not failed, is tried again although it has one attempt, and runs once the folder is back.
func TestNeverStarted(t *testing.T) {
	t.Parallel()
	for reason, breaks := range map[string]func(*testing.T, *harness.World) (mend func()){
		"sandbox_failed": func(t *testing.T, w *harness.World) func() {
			w.Agent("web-01")
			fresh := filepath.Join(w.Folder, "agent-web-01", "cache", "sandbox", "fresh")
			away := fresh + ".away"
			must(t, os.Rename(fresh, away))
			must(t, os.WriteFile(fresh, nil, 0o600))
			return func() {
				must(t, os.Remove(fresh))
				must(t, os.Rename(away, fresh))
			}
		},
		"module_unavailable": func(t *testing.T, w *harness.World) func() {
			agent := w.Agent("web-01")
			must(t, os.RemoveAll(filepath.Join(w.Folder, "agent-web-01", "cache", "modules")))
			return func() {
				agent.Stop()
				w.Agent("web-01")
			}
		},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w := harness.New(t)
			mend := breaks(t, w)
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
			mend()
			if got := w.Ended(run.ID); got.Status != "succeeded" {
				t.Errorf("after: %s %+v", got.Status, got.Executions)
			}
			x, err := w.Client.Execution(t.Context(), id)
			if err != nil || len(x.Attempts) < 2 || x.MaxAttempts != 1 {
				t.Fatalf("%v %+v", err, x)
			}
			if first := x.Attempts[0]; first.Status != "failed" || first.Reason == nil || first.Reason.Code != reason || !first.StartedAt.IsZero() {
				t.Errorf("the first attempt: %+v %+v", first, first.Reason)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
