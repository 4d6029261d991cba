package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"

	"octopus/internal/octopus"
	"octopus/internal/powercut"
	"octopus/internal/wire"
)

// Phases of an execution in the journal.
const (
	nothing = iota
	accepted
	started
	done
	closed
)

// past is what was asked of a journal for one execution, in the disk's time: when each phase was asked for, and
// since when it must be on the disk. Zero: never.
type past struct {
	asked, sure [closed + 1]int
	response    []byte
}

// phase is the highest one in points up to a cut.
func phase(points [closed + 1]int, cut int) int {
	for p := closed; p > nothing; p-- {
		if points[p] > 0 && points[p] <= cut {
			return p
		}
	}
	return nothing
}

type history struct {
	disk   *powercut.Disk
	opened int // when the journal's id was sure
	id     string

	mu    sync.Mutex
	pasts map[Key]*past // guarded by mu
}

// record runs rounds of executions on a journal. At the end of each most are closed, of some all are.
func record(t *testing.T, seed uint64) *history {
	h := &history{disk: powercut.New(), pasts: map[Key]*past{}}
	j, _, err := Open(h.disk, "journal", 0)
	ok(t, err)
	h.opened, h.id = h.disk.Len(), j.ID()
	for round := range uint64(6) {
		var wg sync.WaitGroup
		for worker := range uint64(4) {
			rng := rand.New(rand.NewPCG(seed, round*10+worker))
			wg.Go(func() {
				for n := range 8 {
					h.one(t, j, rng, Key{fmt.Sprintf("exe_%d_%d_%d", round, worker, n), int64(n)}, round%2 == 0)
				}
			})
		}
		wg.Wait()
	}
	ok(t, j.Close())
	return h
}

// one takes an execution some way, as the agent does.
func (h *history) one(t *testing.T, j *Journal, rng *rand.Rand, k Key, toTheEnd bool) {
	p := &past{response: fmt.Appendf(nil, `"%s %s"`, k.Execution, bytes.Repeat([]byte("r"), rng.IntN(30_000)))}
	h.mu.Lock()
	h.pasts[k] = p
	h.mu.Unlock()
	asked := func(phase int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		p.asked[phase] = h.disk.Len() + 1 // a cut at this very point precedes it
	}
	sure := func(phase int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		p.sure[phase] = h.disk.Len()
	}
	asked(accepted)
	ok(t, j.Accepted(&wire.Offer{Execution: k.Execution, Fence: k.Fence, Attempt: 1, Plugin: "noop", Params: bytes.Repeat([]byte("1"), rng.IntN(20_000)+1)}))
	if toTheEnd || rng.IntN(8) > 0 {
		asked(started)
		ok(t, j.Started(k, 2))
		sure(started)
	}
	if toTheEnd || rng.IntN(8) > 0 {
		asked(done)
		ok(t, j.Result(&wire.Result{Execution: k.Execution, Fence: k.Fence, Attempt: 2, Outcome: octopus.Succeeded, Response: p.response}))
		ok(t, j.Sync())
		sure(done)
	}
	if toTheEnd || rng.IntN(8) > 0 {
		asked(closed)
		ok(t, j.Closed(k))
	}
}

// check opens the journal after a cut and compares it with what was asked of it.
func (h *history) check(t *testing.T, d *powercut.Disk, cut int) {
	t.Helper()
	j, entries, err := Open(d, "journal", 0)
	if err != nil {
		t.Fatalf("cut at %d: %v", cut, err)
	}
	defer j.Close()
	if cut >= h.opened && j.ID() != h.id {
		t.Fatalf("cut at %d: the journal has another id", cut)
	}
	found := map[Key]Entry{}
	for _, e := range entries {
		found[Key{e.Offer.Execution, e.Offer.Fence}] = e
	}
	for k, p := range h.pasts {
		e, there := found[k]
		delete(found, k)
		is, asked, sure := phaseOf(e, there), phase(p.asked, cut), phase(p.sure, cut)
		switch {
		case !there && (sure == nothing || asked == closed):
		case is < sure:
			t.Fatalf("cut at %d: %s is in phase %d and was in %d for sure", cut, k.Execution, is, sure)
		case is > asked:
			t.Fatalf("cut at %d: %s is in phase %d, nobody asked beyond %d", cut, k.Execution, is, asked)
		case e.Offer.Plugin != "noop":
			t.Fatalf("cut at %d: the offer of %s is lost", cut, k.Execution)
		case e.Result != nil && !bytes.Equal(e.Result.Response, p.response):
			t.Fatalf("cut at %d: the result of %s is another", cut, k.Execution)
		}
	}
	if len(found) > 0 {
		t.Fatalf("cut at %d: %v were never accepted", cut, found)
	}
	h.goOn(t, j, d, len(entries))
}

func phaseOf(e Entry, there bool) int {
	switch {
	case !there:
		return nothing
	case e.Result != nil:
		return done
	case e.Started:
		return started
	}
	return accepted
}

// goOn: what is written after a cut is readable, and what was read stays.
func (h *history) goOn(t *testing.T, j *Journal, d *powercut.Disk, entries int) {
	t.Helper()
	k := Key{"exe_after", 1}
	ok(t, j.Started(k, 1))
	again, now, err := Open(d.Cut(d.Len(), 7), "journal", 0)
	ok(t, err)
	defer again.Close()
	if len(now) != entries+1 || now[entries].Offer.Execution != k.Execution {
		t.Fatalf("%d entries after a start, %d before", len(now), entries)
	}
}

// TestPowerCut: an agent that loses power at any moment finds in its journal all that was there for sure, and
// nothing by halves.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	const perHistory = 50
	left := perHistory
	if n, err := strconv.Atoi(os.Getenv("OCTOPUS_POWERCUTS")); err == nil {
		left = n
	}
	total := left
	for seed := uint64(1); left > 0; seed++ {
		h := record(t, seed)
		points := h.disk.Boundaries()
		rng := rand.New(rand.NewPCG(seed, 0))
		for range min(left, perHistory) {
			at := rng.IntN(h.disk.Len() + 1)
			if rng.IntN(2) == 0 {
				at = points[rng.IntN(len(points))]
			}
			h.check(t, h.disk.Cut(at, rng.Uint64()), at)
			left--
		}
	}
	t.Logf("0 lost in %d power cuts", total)
}

// TestFailedSync: after a sync that failed nothing is promised any more, though the next sync would succeed.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	d := powercut.New()
	j, _, err := Open(d, "journal", 0)
	ok(t, err)
	ok(t, j.Started(key(1), 1))
	d.Fail(func(o powercut.Op, _ string) error {
		if o == powercut.Sync {
			return os.ErrInvalid
		}
		return nil
	})
	if err := j.Started(key(2), 1); err == nil {
		t.Fatal("a start that is not on the disk was acknowledged")
	}
	d.Fail(nil)
	if err := j.Started(key(3), 1); err == nil {
		t.Error("a start was acknowledged behind one that may be missing")
	}
	if err := j.Result(result(2)); err == nil {
		t.Error("a result was taken by a journal that cannot be trusted")
	}
	j.Close()
	for seed := range uint64(20) {
		after, entries, err := Open(d.Cut(d.Len(), seed), "journal", 0)
		ok(t, err)
		if len(entries) == 0 || entries[0].Offer.Execution != "exe_1" {
			t.Errorf("what was acknowledged before is lost: %v", entries)
		}
		ok(t, after.Started(key(4), 1)) // a restart brings it back
		after.Close()
	}
}
