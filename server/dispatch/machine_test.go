package dispatch

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
	"octopus/server/store"
)

// TestAnyHistory throws any events at an execution, in any order, from any agent, under any fence, and checks what
// must hold after each.
func TestAnyHistory(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := noon
		x := in(octopus.Queued)
		x.MaxAttempts = rapid.IntRange(1, 4).Draw(t, "attempts")
		x.Idempotent = rapid.Bool().Draw(t, "idempotent")
		x.OnLost = rapid.SampledFrom([]octopus.OnLost{octopus.OnLostFail, octopus.OnLostRetry}).Draw(t, "on lost")
		if rapid.Bool().Draw(t, "bound") {
			x.BoundAgent, x.Pool, x.Mode = "agt_1", "", octopus.TargetAgent
		}
		if rapid.Bool().Draw(t, "deadline") {
			x.DeadlineAt = now.Add(rapid.SampledFrom([]time.Duration{time.Minute, time.Hour}).Draw(t, "deadline in"))
		}
		goes := 0
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			now = now.Add(rapid.SampledFrom([]time.Duration{0, time.Second, 20 * time.Second, 10 * time.Minute, 2 * time.Hour}).Draw(t, "pause"))
			e := drawEvent(t, x)
			c, effects, err := tests.step(x, now, e)
			for _, f := range effects {
				if f.kind == sendGo && (f.fence != x.Fence || f.fence != e.fence) {
					t.Fatalf("a go for fence %d at fence %d", f.fence, x.Fence)
				}
			}
			if err != nil {
				if !errors.Is(err, store.ErrNoChange) && octopus.CodeOf(err) != octopus.CodeConflict {
					t.Fatalf("%s of %s: %v", e.kind, x.Status, err)
				}
				continue
			}
			next := c.Next
			checkStep(t, x, next, c)
			if next.Attempt > x.Attempt {
				goes++
			}
			x = next
		}
		if goes != x.Attempt {
			t.Fatalf("%d goes made attempt %d", goes, x.Attempt)
		}
	})
}

func drawEvent(t *rapid.T, x octopus.Execution) event {
	e := event{
		kind:      rapid.SampledFrom(kinds).Draw(t, "event"),
		agentID:   rapid.SampledFrom([]string{"agt_1", "agt_1", "agt_2"}).Draw(t, "agent"),
		agentName: "web", fence: x.Fence + int64(rapid.SampledFrom([]int{0, 0, 0, -1, -2, 1}).Draw(t, "fence")),
		reject:    rapid.SampledFrom([]wire.RejectReason{wire.RejectBusy, wire.RejectPolicy}).Draw(t, "reject"),
		left:      rapid.IntRange(0, 1).Draw(t, "left"),
		phase:     rapid.SampledFrom([]wire.Phase{wire.PhaseAccepted, wire.PhaseStarted, wire.PhaseDone}).Draw(t, "phase"),
		connected: rapid.Bool().Draw(t, "connected"), by: "ada", code: "code", message: "So it is.",
		prepared: &wire.Prepared{Started: rapid.Bool().Draw(t, "started"), ReadyMS: rapid.Int64Range(-5, 100_000).Draw(t, "ready")},
	}
	e.result = &outcome{raw: []byte(`{"status_code":200}`), response: spec.Response{StatusCode: rapid.SampledFrom([]int{200, 503}).Draw(t, "code")}}
	e.result.Outcome = rapid.SampledFrom([]octopus.Status{octopus.Succeeded, octopus.Failed, octopus.TimedOut, octopus.Cancelled, octopus.Lost}).Draw(t, "outcome")
	e.result.Attempt = x.Attempt
	e.result.MayRetry, e.result.NeverStarted = rapid.Bool().Draw(t, "may retry"), rapid.Bool().Draw(t, "never started")
	return e
}

// checkStep holds the promises that no step may break.
func checkStep(t *rapid.T, x, next octopus.Execution, c store.Change) {
	switch {
	case x.Status.Terminal() && (next.Status != x.Status || next.Fence != x.Fence || c.Attempt != nil || len(c.Results) > 0 || len(c.Artifacts) > 0):
		t.Fatalf("terminal %s changed to %+v", x.Status, next)
	case next.Status != x.Status && !x.Status.CanBecome(next.Status):
		t.Fatalf("%s became %s", x.Status, next.Status)
	case next.Fence < x.Fence || next.Attempt < x.Attempt || next.Attempt > x.Attempt+1:
		t.Fatalf("fence %d to %d, attempt %d to %d", x.Fence, next.Fence, x.Attempt, next.Attempt)
	case next.Attempt > x.Attempt && (x.Status != octopus.Offered || next.Status != octopus.Running):
		t.Fatalf("an attempt began from %s to %s", x.Status, next.Status)
	case x.Status == octopus.Offered && next.Status == octopus.Queued && next.Fence == x.Fence:
		t.Fatal("an offer was withdrawn under its own fence")
	case next.Status == octopus.Queued && (next.WaitUntil.IsZero() || next.Waiting == nil && x.Status != octopus.Queued || next.AgentID != ""):
		t.Fatalf("queued without an end, a reason, or still with an agent: %+v", next)
	case next.Status == octopus.Offered && (next.OfferExpiresAt.IsZero() || next.AgentID == ""):
		t.Fatalf("offered without an end: %+v", next)
	case next.Status == octopus.Running && next.DeadlineAt.IsZero():
		t.Fatalf("running without an end: %+v", next)
	case next.Status.Terminal() && !(next.OfferExpiresAt.IsZero() && next.DeadlineAt.IsZero() && next.NotBefore.IsZero() && next.WaitUntil.IsZero()):
		t.Fatalf("ended with a timer: %+v", next)
	case next.Status.Terminal() && next.FinishedAt.IsZero():
		t.Fatal("ended without a time")
	case next.Status.Terminal() && next.Status != octopus.Succeeded && (next.Reason == nil || next.Reason.Message == ""):
		t.Fatalf("ended as %s without a reason", next.Status)
	case c.Attempt != nil && c.Attempt.Number != x.Attempt && c.Attempt.Number != next.Attempt:
		t.Fatalf("attempt %d written at attempt %d", c.Attempt.Number, x.Attempt)
	}
}
