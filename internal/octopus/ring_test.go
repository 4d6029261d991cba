package octopus

import (
	"fmt"
	"testing"
	"time"
)

// Each ring gets its share of the runs, and who is inside one is inside the next.
func TestRingShares(t *testing.T) {
	t.Parallel()
	const n = 10_000
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	inside := make(map[Ring]int)
	for i := range n {
		point := RingPoint(NewID(PrefixRun, at.Add(time.Duration(i)*time.Second)))
		if point < 0 || point >= RingPoints {
			t.Fatalf("point %d", point)
		}
		before := false
		for _, ring := range Rings {
			in := point < ring.Share()
			if before && !in {
				t.Fatalf("point %d leaves at %s", point, ring)
			}
			if before = in; in {
				inside[ring]++
			}
		}
	}
	// Six standard deviations of 10,000 draws are 131 for 5 % and 260 for 25 %.
	for ring, want := range map[Ring]struct{ mean, tolerance int }{RingCanary: {500, 131}, RingEarly: {2500, 260}, RingAll: {n, 0}} {
		if got := inside[ring]; got < want.mean-want.tolerance || got > want.mean+want.tolerance {
			t.Errorf("%s has %d of %d runs, want about %d", ring, got, n, want.mean)
		}
	}
}

func TestRingPointStays(t *testing.T) {
	t.Parallel()
	for run, want := range map[string]int{"run_01jd0000000000000000000000": 8923, "run_01jd0000000000000000000001": 759} {
		if got := RingPoint(run); got != RingPoint(run) || got != want {
			t.Errorf("%s stands at %d, want %d", run, got, want)
		}
	}
	narrower := 0
	for _, ring := range Rings { // who names a ring is inside it, and in none that is narrower
		if p := ring.Point(); p >= ring.Share() || p != narrower {
			t.Errorf("%s is at %d", ring, p)
		}
		narrower = ring.Share()
	}
}

func TestOnTrial(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		v    PluginVersion
		want bool
	}{
		{PluginVersion{Ring: RingAll, Status: VersionPublished}, false},
		{PluginVersion{Ring: RingCanary, Status: VersionPublished}, true},
		{PluginVersion{Ring: RingEarly, Status: VersionDeprecated}, true},
		{PluginVersion{Ring: RingCanary, Held: true}, false},
		{PluginVersion{Ring: RingCanary, Status: VersionRevoked}, false},
		{PluginVersion{Ring: RingCanary, Status: VersionDisabled}, false},
		{PluginVersion{Ring: RingAll, WatchUntil: now.Add(time.Second)}, true},
		{PluginVersion{Ring: RingAll, WatchUntil: now}, false},
	} {
		if got := c.v.OnTrial(now); got != c.want {
			t.Errorf("%+v is on trial: %v", c.v, got)
		}
	}
}

func TestBlames(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status Status
		code   string
		want   string // failed, counts
	}{
		{Succeeded, "", "false true"}, {Failed, "", "true true"}, {Failed, "trap", "true true"}, {Failed, "denied", "true false"},
		{TimedOut, "timeout", "true true"}, {TimedOut, "deadline", "true false"}, {Lost, "agent_silent", "false false"},
		{Cancelled, "cancelled", "false false"}, {Expired, "no_agent_in_time", "false false"}, {Rejected, "refused", "false false"},
		{Running, "", "false false"},
	} {
		x := Execution{Status: c.status}
		if c.code != "" {
			x.Reason = &Reason{Code: c.code}
		}
		failed, counts := x.Blames()
		if got := fmt.Sprint(failed, " ", counts); got != c.want {
			t.Errorf("%s %s: %s, want %s", c.status, c.code, got, c.want)
		}
	}
}
