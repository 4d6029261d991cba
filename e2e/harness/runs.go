package harness

import (
	"context"
	"fmt"

	"octopus/sdk"
)

// Run starts a run and returns it when it has ended.
func (w *World) Run(start sdk.StartRun) sdk.Run {
	w.t.Helper()
	run, err := w.Client.StartRun(w.t.Context(), start)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Ended(run.ID)
}

// Ended returns a run when it has ended.
func (w *World) Ended(id string) (run sdk.Run) {
	w.t.Helper()
	w.Until(fmt.Sprintf("run %s has ended", id), func(ctx context.Context) bool {
		var err error
		run, err = w.Client.Run(ctx, id)
		return err == nil && run.Ended()
	})
	return run
}

// Running starts a run and returns it when its first execution has started and written a log line.
func (w *World) Running(start sdk.StartRun) (run sdk.Run) {
	w.t.Helper()
	started, err := w.Client.StartRun(w.t.Context(), start)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Until(fmt.Sprintf("run %s is running", started.ID), func(ctx context.Context) bool {
		if run, err = w.Client.Run(ctx, started.ID); err == nil && run.Ended() {
			w.t.Fatalf("run %s had ended as %s before it was seen to run", started.ID, run.Status)
		}
		return err == nil && len(run.Executions) > 0 && run.Executions[0].Status == "running" && run.Executions[0].LogSeq > 0
	})
	return run
}
