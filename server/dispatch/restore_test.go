package dispatch

import (
	"errors"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/store"
)

// afterwards are the rules of a database that was restored; from a backup made while in() lived.
func afterwards(requeue bool) rules {
	r := tests
	r.afterRestore(store.Restore{Generation: 1, BackupAt: noon, Requeue: requeue})
	return r
}

// TestRestored walks what a restored database may hold, and what is made of it.
func TestRestored(t *testing.T) {
	t.Parallel()
	retry := func(x octopus.Execution) octopus.Execution {
		x.OnLost, x.Idempotent, x.MaxAttempts = octopus.OnLostRetry, true, 2
		return x
	}
	for _, c := range []struct {
		name    string
		x       octopus.Execution
		requeue bool
		want    octopus.Status
	}{
		{"waiting", in(octopus.Queued), false, octopus.Lost},
		{"offered", in(octopus.Offered), false, octopus.Lost},
		{"waiting, may be repeated", retry(in(octopus.Queued)), false, octopus.Queued},
		{"offered, may be repeated", retry(in(octopus.Offered)), false, octopus.Queued},
		{"waiting, nothing ran since", in(octopus.Queued), true, octopus.Queued},
		{"running: its agent may still have it", in(octopus.Running), false, octopus.Running},
		{"ended", in(octopus.Succeeded), false, octopus.Succeeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := afterwards(c.requeue)
			change, _, err := r.step(c.x, noon.Add(48*time.Hour), event{kind: evRestored})
			if errors.Is(err, store.ErrNoChange) {
				change.Next = c.x
			} else if err != nil {
				t.Fatal(err)
			} else if change.Next.Fence <= r.floor {
				t.Errorf("fence %d, not above %d", change.Next.Fence, r.floor)
			}
			x := change.Next
			if x.Status != c.want {
				t.Fatalf("it is %s", x.Status)
			}
			if x.Status == octopus.Lost && (x.Reason == nil || x.Reason.Code != "restored" || !strings.Contains(x.Reason.Message, "12:00:00")) {
				t.Errorf("reason %+v", x.Reason)
			}
			if x.Status == octopus.Queued && !x.WaitUntil.After(noon.Add(48*time.Hour)) {
				t.Errorf("it waits until %s, which has passed", x.WaitUntil)
			}
			if _, _, err := r.step(x, noon.Add(49*time.Hour), event{kind: evRestored}); !errors.Is(err, store.ErrNoChange) {
				t.Errorf("settling it twice changed it again: %v", err)
			}
		})
	}
}

// TestForgottenTries: the backup holds fence 1 running on web-01; what came after it is forgotten. Fence 2 of the time
// that is gone must not be taken for what is given now.
func TestForgottenTries(t *testing.T) {
	t.Parallel()
	r := afterwards(false)
	x := in(octopus.Running)
	late := from(evResult)
	late.fence, late.result = 2, resultOf(octopus.Succeeded, 200)
	if _, effects, err := r.step(x, noon, late); !errors.Is(err, store.ErrNoChange) || only(t, effects, sendAck).verdict != wire.VerdictUnknown {
		t.Errorf("a result of a fence that this database never gave: %v %+v", err, effects)
	}
	mine := from(evResult)
	mine.result = resultOf(octopus.Failed, 503)
	mine.result.MayRetry = true
	x.MaxAttempts = 3
	c, _, err := r.step(x, noon, mine)
	if err != nil || c.Next.Status != octopus.Queued {
		t.Fatalf("the true result of the attempt that the backup holds: %v %s", err, c.Next.Status)
	}
	again := r.offered(c.Next, noon.Add(time.Minute), "agt_1", "web-01")
	ran := r.run(again, noon.Add(time.Minute)).Next
	if ran.Fence <= r.floor {
		t.Fatalf("the next attempt has fence %d", ran.Fence)
	}
	c, effects, err := r.step(ran, noon.Add(2*time.Minute), late)
	if err != nil || c.Next.Status != "" && c.Next.Status != octopus.Running || only(t, effects, sendAck).verdict != wire.VerdictStale || c.Evidence == nil {
		t.Errorf("a late result of the forgotten fence 2: %v %+v", err, c)
	}
}

// TestForgottenByItsAgent: without a restore an intact journal that does not know an attempt proves that it never
// ran. After one it does not: the agent may have ended it and been told that it may forget.
func TestForgottenByItsAgent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		rules rules
		want  octopus.Status
	}{
		{"never restored", tests, octopus.Queued},
		{"restored", afterwards(false), octopus.Lost},
		{"restored, nothing ran since", afterwards(true), octopus.Queued},
	} {
		change, _, err := c.rules.step(in(octopus.Running), noon, from(evNeverStarted))
		if err != nil || change.Next.Status != c.want {
			t.Errorf("%s: %v %s", c.name, err, change.Next.Status)
		}
	}
	r := afterwards(false)
	x := in(octopus.Queued)
	x.Fence = r.floor // made since
	x = r.run(r.offered(x, noon, "agt_1", "web-01"), noon).Next
	e := from(evNeverStarted)
	e.fence = x.Fence
	if change, _, err := r.step(x, noon, e); err != nil || change.Next.Status != octopus.Queued {
		t.Errorf("made after the restore: %v %s", err, change.Next.Status)
	}
}
