package e2e_test

import (
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/sdk"
	"octopus/server/store/storetest"
)

// revokedWithin is the promise: so long after a revocation was answered nothing of it starts any more, on any server.
const revokedWithin = 5 * time.Second

// on is a run of the sleeper on one agent.
func on(agent string, seconds float64) sdk.StartRun {
	start := sleeper(seconds)
	start.Target = sdk.Target{Mode: "agent", Agent: agent}
	return start
}

// TestRevokedOnAnotherServer revokes a version on one of two servers while the other starts it again and again on its
// own agent. Five seconds after the answer nothing starts there any more: what is asked for is refused, and what waits
// for room is rejected when there is room.
func TestRevokedOnAnotherServer(t *testing.T) {
	t.Parallel()
	w := harness.NewOn(t, storetest.Postgres(t))
	other := w.Beside()
	w.Agent("near")
	other.Agent("far")
	other.Agent("full", "--slots", "1")
	publish(t, w, sleeperManifest, sleeperScript)
	for _, agent := range []string{"near", "far", "full"} {
		if run := other.Run(on(agent, 0)); run.Status != "succeeded" {
			t.Fatalf("before, on %s: %s", agent, run.Status)
		}
	}
	holder := other.Running(on("full", 500)) // until it is cancelled
	var waiting []string
	for range 3 {
		run, err := other.Client.StartRun(t.Context(), on("full", 0))
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, run.ID)
	}

	asked, last := askWhile(t, other, func() error { return w.Client.ChangeVersion(t.Context(), "sleeper", "1.0.0", "revoke") })
	refused := 0
	for _, r := range asked {
		switch {
		case r.refused:
			if refused++; refused == 1 {
				t.Logf("the first refusal was asked for %s after the revocation", (r.at.Sub(last) + revokedWithin).Round(time.Millisecond))
			}
			continue
		case r.at.After(last):
			t.Errorf("a run was accepted %s after the revocation", r.at.Sub(last)+revokedWithin)
		}
		startedBefore(t, other, r.run, last)
	}
	if refused == 0 {
		t.Error("no run was ever refused")
	}
	if _, err := other.Client.CancelRun(t.Context(), holder.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range waiting {
		run := other.Ended(id)
		x, err := other.Client.Execution(t.Context(), run.Executions[0].ID)
		if err != nil || x.Status != "rejected" || x.Reason == nil || x.Reason.Code != "plugin_revoked" || !x.StartedAt.IsZero() {
			t.Errorf("what waited ended as %s (%+v), started at %s, %v", x.Status, x.Reason, x.StartedAt, err)
		}
	}
}

// request is one that was made for a run.
type request struct {
	at      time.Time
	run     string
	refused bool
}

// askWhile asks for one run after the other on an agent of a server, has the version revoked meanwhile, and ends when it
// has asked after the time that was promised, last.
func askWhile(t *testing.T, w *harness.World, revoke func() error) (asked []request, last time.Time) {
	t.Helper()
	answered := make(chan time.Time, 1)
	pause := time.NewTicker(20 * time.Millisecond) // people and schedules, not a flood
	defer pause.Stop()
	for {
		r := request{at: time.Now()}
		run, err := w.Client.StartRun(t.Context(), on("far", 0))
		r.run, r.refused = run.ID, err != nil
		asked = append(asked, r)
		switch {
		case len(asked) == 3: // it has been going on
			go func() {
				err := revoke()
				if answered <- time.Now(); err != nil {
					t.Error(err)
				}
			}()
		case !last.IsZero() && r.at.After(last):
			return asked, last
		}
		select {
		case at := <-answered:
			last = at.Add(revokedWithin)
		case <-pause.C:
		}
	}
}

// startedBefore fails the test where something of a run began later.
func startedBefore(t *testing.T, w *harness.World, id string, last time.Time) {
	t.Helper()
	run := w.Ended(id)
	for _, e := range run.Executions {
		if x, err := w.Client.Execution(t.Context(), e.ID); err != nil || x.StartedAt.After(last) {
			t.Errorf("%s started %s after the revocation (%s, %v)", x.ID, x.StartedAt.Sub(last)+revokedWithin, x.Status, err)
		}
	}
}
