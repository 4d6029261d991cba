package storetest

import (
	"fmt"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// ringOf is where a version is, in one line.
func ringOf(t testing.TB, s *store.Store, number string) string {
	t.Helper()
	v, err := s.Version(t.Context(), "noop", number)
	check(t, err)
	return fmt.Sprint(v.Ring, " ", v.Held, " ", v.RingNote, " ", v.RingBy)
}

func testRings(t *testing.T, s *store.Store) {
	ctx := t.Context()
	check(t, s.PublishVersion(ctx, version("noop", "1.0.0", "sha256:0"), "uploaded", "", nil))
	v := version("noop", "1.1.0", "sha256:1")
	v.Ring = octopus.RingCanary
	check(t, s.PublishVersion(ctx, v, "uploaded", "", nil))
	equal(t, "the first", ringOf(t, s, "1.0.0"), "all false  ")
	equal(t, "the second", ringOf(t, s, "1.1.0"), "canary false  ada")

	v, err := s.Version(ctx, "noop", "1.1.0")
	check(t, err)
	until := s.Now().Add(time.Hour).Truncate(time.Microsecond)
	check(t, s.MoveRings(ctx, "noop", "bob", []store.RingMove{{Version: "1.1.0", Ring: octopus.RingAll, WatchUntil: until, Told: "up", Was: v.RingAt}}))
	moved, err := s.VersionByDigest(ctx, "sha256:1")
	check(t, err)
	if !moved.WatchUntil.Equal(until) || !moved.RingAt.After(v.RingAt) {
		t.Fatalf("moved %+v", moved)
	}
	// Of two who decide at once one is told, and all of a decision is done or nothing.
	wantCode(t, s.MoveRings(ctx, "noop", "eve", []store.RingMove{
		{Version: "1.0.0", Ring: octopus.RingEarly, Told: "down"}, {Version: "1.1.0", Ring: octopus.RingAll, Held: true, Was: v.RingAt},
	}), octopus.CodeConflict)
	wantCode(t, s.MoveRings(ctx, "noop", "eve", []store.RingMove{{Version: "9.9.9", Ring: octopus.RingAll}}), octopus.CodeConflict)
	equal(t, "the first", ringOf(t, s, "1.0.0"), "all false  ")
	check(t, s.MoveRings(ctx, "noop", "eve", []store.RingMove{{Version: "1.1.0", Ring: octopus.RingAll, Held: true, Note: "bad", Told: "held", Was: moved.RingAt}}))
	equal(t, "held", ringOf(t, s, "1.1.0"), "all true bad eve")

	events, _, err := s.PluginEvents(ctx, "noop", store.Page{Descending: true})
	check(t, err)
	var told []string
	for _, e := range events {
		told = append(told, fmt.Sprint(e.Kind, " ", e.Version, " ", e.Actor, " ", e.Message))
	}
	equal(t, "history", fmt.Sprint(told), "[ring_moved 1.1.0 eve held ring_moved 1.1.0 bob up published 1.1.0 ada canary published 1.0.0 ada ]")
}

func testOutcomes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for i, ring := range []octopus.Ring{octopus.RingAll, octopus.RingCanary} {
		v := version("noop", fmt.Sprintf("1.%d.0", i), fmt.Sprint("sha256:", i))
		v.Ring = ring
		check(t, s.PublishVersion(ctx, v, "uploaded", "", nil))
	}
	end := func(digest string, onTrial bool, status octopus.Status, code string) {
		t.Helper()
		id := one(t, s, func(x *octopus.Execution) { x.Digest, x.OnTrial = digest, onTrial; Offered(x, "agt_1") })
		if status != octopus.Cancelled {
			step(t, s, id, Accept)
		}
		step(t, s, id, func(x octopus.Execution, now time.Time) (store.Change, error) {
			if x.OnTrial != onTrial {
				t.Errorf("on trial: %v", x.OnTrial)
			}
			c, err := End(status)(x, now)
			if code != "" {
				c.Next.Reason.Code = code
			}
			return c, err
		})
	}
	end("sha256:1", true, octopus.Succeeded, "")
	for _, code := range []string{"trap", "out_of_fuel", "memory_limit", "invalid_response", "exception", "denied", "untrusted"} {
		end("sha256:1", true, octopus.Failed, code)
	}
	end("sha256:1", true, octopus.TimedOut, "timeout")
	end("sha256:1", true, octopus.Lost, "agent_silent")
	end("sha256:1", true, octopus.Cancelled, "cancelled")
	end("sha256:1", false, octopus.Failed, "trap")
	end("sha256:0", true, octopus.Succeeded, "")
	wantOutcomes(t, s, "map[sha256:0:{1 0} sha256:1:{1 6}]")
	names, err := s.Compared(ctx)
	check(t, err)
	equal(t, "compared", fmt.Sprint(names), "[noop]")

	move := func(number string, ring octopus.Ring, held bool) {
		t.Helper()
		v, err := s.Version(ctx, "noop", number)
		check(t, err)
		check(t, s.MoveRings(ctx, "noop", "ada", []store.RingMove{{Version: number, Ring: ring, Held: held, Was: v.RingAt}}))
	}
	move("1.1.0", octopus.RingCanary, true)
	wantOutcomes(t, s, "map[sha256:0:{1 0} sha256:1:{1 6}]") // they say why it is held
	move("1.1.0", octopus.RingAll, false)
	wantOutcomes(t, s, "map[sha256:0:{1 0}]") // the one before does not run any more
	end("sha256:1", true, octopus.Succeeded, "")
	move("1.1.0", octopus.RingEarly, false)
	wantOutcomes(t, s, "map[]")
	end("sha256:0", true, octopus.Failed, "trap")
	move("1.0.0", octopus.RingAll, true)
	move("1.1.0", octopus.RingCanary, false)
	wantOutcomes(t, s, "map[sha256:0:{0 1}]")
}

func wantOutcomes(t testing.TB, s *store.Store, want string) {
	t.Helper()
	outcomes, err := s.Outcomes(t.Context(), "noop")
	check(t, err)
	equal(t, "outcomes", fmt.Sprint(outcomes), want)
}
