//go:build linux

package chaos

import (
	"context"
	"slices"
	"testing"
	"time"

	"octopus/internal/stall"
	"octopus/sdk"
	"octopus/server/store/storetest"
)

// TestWithoutABus submits at one server what only an agent of another one can run, with nothing but the database
// between them: it is recorded within 2.5 s (DESIGN §12), and who waits is told.
func TestWithoutABus(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	w := build(t, Options{Servers: 2, Database: storetest.Postgres(t), Agents: 1})
	other := w.direct(1 - w.serverOf(w.agentName(0)))
	var took, told []time.Duration
	stalled := stall.Watch(t)
	for range 20 {
		asked, held := time.Now(), stalled()
		run, err := other.StartRun(t.Context(), w.work(0), sdk.WithWait(60*time.Second))
		if err != nil || run.Status != "succeeded" {
			t.Fatalf("%s, %v", run.Status, err)
		}
		told = append(told, time.Since(asked))
		took = append(took, run.FinishedAt.Sub(run.CreatedAt)-(stalled()-held))
	}
	slices.Sort(took)
	slices.Sort(told)
	t.Logf("recorded: half within %s, all within %s; told: half within %s, all within %s", took[10], took[19], told[10], told[19])
	if took[10] > 1500*time.Millisecond || took[18] > 2500*time.Millisecond {
		t.Errorf("it takes too long: %v", took)
	}
}

// serverOf is the server that an agent is connected to.
func (w *world) serverOf(agent string) (at int) {
	w.t.Helper()
	w.until("the agent is somewhere", func(ctx context.Context) error {
		for i := range w.servers {
			a, err := w.direct(i).Agent(ctx, agent)
			if err != nil {
				return err
			}
			if a.Free > 0 {
				at = i
			}
		}
		return nil
	})
	return at
}
