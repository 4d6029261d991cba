package hub

import (
	"container/heap"
	"math/rand/v2"
	"testing"
	"time"
)

// knock is one agent at a moment: it asks to be let in, or its opening ends.
type knock struct {
	at     time.Time
	leaves bool
}

type knocks []knock

func (k knocks) Len() int           { return len(k) }
func (k knocks) Less(i, j int) bool { return k[i].at.Before(k[j].at) }
func (k knocks) Swap(i, j int)      { k[i], k[j] = k[j], k[i] }
func (k *knocks) Push(x any)        { *k = append(*k, x.(knock)) }
func (k *knocks) Pop() any {
	last := (*k)[len(*k)-1]
	*k = (*k)[:len(*k)-1]
	return last
}

// storm lets n agents knock at a machine that opens one connection at a time on each of two cores, and returns when
// the last was in, the fullest second and the most that were under way.
func storm(a *admission, n int, spread, cost time.Duration) (all time.Duration, peak, opening int) {
	random := rand.New(rand.NewPCG(1, 2))
	start := time.Unix(1_700_000_000, 0)
	queue := new(knocks)
	for range n {
		heap.Push(queue, knock{at: start.Add(time.Duration(random.Int64N(int64(spread))))})
	}
	seconds := map[int]int{}
	free := [2]time.Time{start, start} // when each core has nothing to do
	for queue.Len() > 0 {
		k := heap.Pop(queue).(knock)
		if k.leaves {
			a.leave()
			continue
		}
		after, ok := a.enter(k.at)
		if !ok {
			wait := time.Duration(after) * time.Second // as agents do: between it and a quarter more
			heap.Push(queue, knock{at: k.at.Add(wait + time.Duration(random.Int64N(int64(wait/4+time.Second))))})
			continue
		}
		opening = max(opening, a.opening)
		core := 0
		if free[1].Before(free[0]) {
			core = 1
		}
		if free[core].Before(k.at) {
			free[core] = k.at
		}
		free[core] = free[core].Add(cost)
		heap.Push(queue, knock{at: free[core], leaves: true})
		all = max(all, free[core].Sub(start))
		seconds[int(k.at.Sub(start)/time.Second)]++
	}
	for _, n := range seconds {
		peak = max(peak, n)
	}
	return all, peak, opening
}

// TestAdmission lets fleets come back to a server: evenly, soon, and on a slow machine without a crowd at the door.
func TestAdmission(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		n            int
		spread, cost time.Duration
		within       time.Duration
	}{
		"1,000 after a short break":          {1000, 4 * time.Second, time.Millisecond, 15 * time.Second},
		"10,000 after a break":               {10_000, 16 * time.Second, time.Millisecond, 50 * time.Second},
		"10,000 at once":                     {10_000, time.Second, time.Millisecond, 60 * time.Second},
		"10,000 on a machine ten times slow": {10_000, 16 * time.Second, 10 * time.Millisecond, 3 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAdmission(0)
			a.most, a.atOnce = 500, 48 // two cores
			all, peak, opening := storm(a, c.n, c.spread, c.cost)
			ratio := float64(peak) * all.Seconds() / float64(c.n)
			t.Logf("all after %s, %d in the fullest second, %.1f times the mean, %d under way", all, peak, ratio, opening)
			if all > c.within || ratio > 3 || opening > 48 {
				t.Errorf("all after %s (at most %s), peak %.1f times the mean (at most 3), %d under way (at most 48)", all, c.within, ratio, opening)
			}
			if a.opening != 0 {
				t.Errorf("%d openings never ended", a.opening)
			}
		})
	}
}

// TestAdmissionForgets begins anew after a quiet minute, and takes an operator's number at its word.
func TestAdmissionForgets(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	a := newAdmission(1000)
	let := func() (n int) {
		for range 2000 {
			if _, ok := a.enter(now); ok {
				n++
				a.leave()
			}
		}
		return n
	}
	if n := let(); n != 250 {
		t.Errorf("%d at the first moment, want a burst of 250", n)
	}
	for range a.atOnce { // the machine does not keep up
		a.again()
	}
	now = now.Add(time.Second)
	if n := let(); n != 0 {
		t.Errorf("%d were let in while all was under way", n)
	}
	now = now.Add(time.Second)
	for range a.atOnce {
		a.leave()
	}
	if n := let(); n > 250 {
		t.Errorf("%d after it was too much, want fewer than before", n)
	}
	now = now.Add(2 * time.Minute)
	if let(); a.limit.Limit() != 1000 {
		t.Errorf("%v a second after a quiet minute, want 1000", a.limit.Limit())
	}
}
