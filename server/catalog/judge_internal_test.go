package catalog

import (
	"math"
	"math/rand/v2"
	"testing"

	"octopus/internal/octopus"
)

func TestChance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		trial, before octopus.Tally
		want          float64 // R: fisher.test(matrix(c(tf, ts, bf, bs), 2), alternative = "greater")
	}{
		{octopus.Tally{Succeeded: 1, Failed: 3}, octopus.Tally{Succeeded: 3, Failed: 1}, 17. / 70},
		{octopus.Tally{Succeeded: 19, Failed: 1}, octopus.Tally{Succeeded: 1000}, 20. / 1020},
		{octopus.Tally{Succeeded: 18, Failed: 2}, octopus.Tally{Succeeded: 1000}, 20. * 19 / (1020 * 1019)},
		{octopus.Tally{Succeeded: 20}, octopus.Tally{Succeeded: 20}, 1},
		{octopus.Tally{Failed: 20}, octopus.Tally{Failed: 20}, 1},
	} {
		if got := chance(c.trial, c.before); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%+v against %+v: %g, want %g", c.trial, c.before, got, c.want)
		}
	}
}

func TestWorse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		trial, before octopus.Tally
		want          bool
	}{
		{"too few", octopus.Tally{Failed: 19}, octopus.Tally{Succeeded: 1000}, false},
		{"too few before", octopus.Tally{Failed: 100}, octopus.Tally{Succeeded: 19}, false},
		{"all fail", octopus.Tally{Failed: 20}, octopus.Tally{Succeeded: 20}, true},
		{"one by chance", octopus.Tally{Succeeded: 19, Failed: 1}, octopus.Tally{Succeeded: 10_000}, false},
		{"a quarter", octopus.Tally{Succeeded: 15, Failed: 5}, octopus.Tally{Succeeded: 380}, true},
		{"both fail", octopus.Tally{Succeeded: 10, Failed: 30}, octopus.Tally{Succeeded: 200, Failed: 600}, false},
		{"better", octopus.Tally{Succeeded: 100}, octopus.Tally{Succeeded: 50, Failed: 50}, false},
		{"a hair", octopus.Tally{Succeeded: 995_000, Failed: 5_000}, octopus.Tally{Succeeded: 999_000, Failed: 1_000}, false},
		{"many", octopus.Tally{Succeeded: 980_000, Failed: 20_000}, octopus.Tally{Succeeded: 999_000, Failed: 1_000}, true},
	} {
		if got := worse(c.trial, c.before); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// watched plays a version in the ring canary, judged after each execution, and says after how many of its executions
// it was held, or 0.
func watched(r *rand.Rand, before, trial float64, most int) int {
	var a, b octopus.Tally
	count := func(t *octopus.Tally, rate float64) {
		if r.Float64() < rate {
			t.Failed++
		} else {
			t.Succeeded++
		}
	}
	for b.Total() < int64(most) {
		if r.IntN(octopus.RingPoints) >= octopus.RingCanary.Share() {
			count(&a, before)
			continue
		}
		count(&b, trial)
		if worse(b, a) {
			return int(b.Total())
		}
	}
	return 0
}

// Looking after each execution does not hold good versions, and bad ones are held soon. The numbers are in
// docs/rationale.md.
func TestTrialsOfGoodAndBadVersions(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	const trials, most = 100, 300
	for _, c := range []struct {
		before, trial float64
		least, worst  int // how many of the trials may end in a hold
	}{
		{0.001, 0.001, 0, 5}, {0.02, 0.02, 0, 5}, {0.2, 0.2, 0, 5}, {0.5, 0.5, 0, 5}, {0.2, 0.1, 0, 0},
		{0.02, 0.2, 98, trials}, {0, 0.1, 98, trials}, {0.3, 0.6, 98, trials},
	} {
		held, after := 0, 0
		for range trials {
			if n := watched(r, c.before, c.trial, most); n > 0 {
				held++
				after += n
			}
		}
		t.Logf("%g %% → %g %%: %d of %d held, after %d executions in the mean", c.before*100, c.trial*100, held, trials, after/max(held, 1))
		if held < c.least || held > c.worst {
			t.Errorf("%g → %g: %d of %d were held, want %d to %d", c.before, c.trial, held, trials, c.least, c.worst)
		}
	}
}
