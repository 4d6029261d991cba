package sim

import (
	"cmp"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// tally is what many seeds came to.
type tally struct {
	mu     sync.Mutex
	seeds  int
	faults map[string]int
	failed []Report
}

// playAll plays seeds [first, first+n), on all cores, and stops after a few failures.
func playAll(first uint64, n int) *tally {
	sum := &tally{faults: make(map[string]int)}
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(n) || !sum.add(Play(NewPlan(first+uint64(i)), false)) {
					return
				}
			}
		})
	}
	wg.Wait()
	slices.SortFunc(sum.failed, func(a, b Report) int { return cmp.Compare(a.Plan.Seed, b.Plan.Seed) })
	return sum
}

// maxFailed is after how many failures there is no use in more.
const maxFailed = 20

func (t *tally) add(r Report) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seeds++
	for kind, n := range r.Faults {
		t.faults[kind] += n
	}
	if len(r.Broken) > 0 {
		t.failed = append(t.failed, r)
	}
	return len(t.failed) < maxFailed
}

// counts is a line for each kind of fault.
func (t *tally) counts() string {
	var b strings.Builder
	for _, kind := range slices.Sorted(maps.Keys(t.faults)) {
		fmt.Fprintf(&b, "  %-28s %8d\n", kind, t.faults[kind])
	}
	return b.String()
}

// report fails the test, with the whole history of the first failure.
func (t *tally) report(tb testing.TB) {
	for _, r := range t.failed {
		tb.Errorf("seed %d: %s", r.Plan.Seed, strings.Join(r.Broken, "; "))
	}
	if len(t.failed) > 0 {
		seed := t.failed[0].Plan.Seed
		tb.Errorf("go test ./e2e/sim -run TestSeed -seed=%d plays it again. With what it does not need left out:\n%s", seed, Play(Shrink(t.failed[0].Plan), true))
	}
}

// TestSeeds plays 200 seeds; fewer under the race detector, which has little to find in one thread.
func TestSeeds(t *testing.T) {
	t.Parallel()
	n := 200
	if raced {
		n = 20
	}
	playAll(1, n).report(t)
}

// TestMany plays as many seeds as -seeds says, from -first on, and tells how fast. make sim runs it.
func TestMany(t *testing.T) {
	if *seeds == 0 {
		t.Skip("no -seeds")
	}
	began := time.Now()
	sum := playAll(*first, *seeds)
	took := time.Since(began)
	fmt.Printf("%d seeds in %s, %.0f a second; %d failed\n%s", sum.seeds, took.Round(time.Second), float64(sum.seeds)/took.Seconds(), len(sum.failed), sum.counts())
	sum.report(t)
}

// TestReplay: a seed is a history. Played again it is the same one, to the last message.
func TestReplay(t *testing.T) {
	t.Parallel()
	for seed := uint64(1); seed <= 10; seed++ {
		a, b := Play(NewPlan(seed), false), Play(NewPlan(seed), true)
		if a.Hash != b.Hash {
			t.Errorf("seed %d was played twice and made two histories: %x and %x", seed, a.Hash, b.Hash)
		}
	}
}
