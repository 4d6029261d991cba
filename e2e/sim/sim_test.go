package sim

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var (
	seed   = flag.Uint64("seed", 0, "TestSeed: the seed to play and print")
	shrink = flag.Bool("shrink", true, "TestSeed: leave out what the failure does not need")
	seeds  = flag.Int("seeds", 0, "TestMany: how many seeds to play")
	first  = flag.Uint64("first", 1_000_000, "TestMany: the first seed")
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// TestSeed plays one seed and prints its history.
func TestSeed(t *testing.T) {
	if *seed == 0 {
		t.Skip("no -seed")
	}
	r := Play(NewPlan(*seed), true)
	if len(r.Broken) > 0 && *shrink {
		r = Play(Shrink(r.Plan), true)
	}
	if len(r.Broken) > 0 {
		t.Errorf("%s", r)
	} else {
		t.Logf("%s", r)
	}
}
