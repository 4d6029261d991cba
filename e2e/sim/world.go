package sim

import (
	"container/heap"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// epoch is when histories begin, on the database's clock.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// World is one history under way. It is used by one goroutine.
type World struct {
	plan Plan
	rng  *rand.Rand
	now  time.Duration // since epoch
	next int64         // numbers events and identifiers, so that equals keep their order
	todo queue
	task *task // what runs now, nil in the scheduler

	db      *database
	servers []*server
	agents  []*machine
	people  *people
	witness *witness
	calm    bool // faults are over

	hash   hash.Hash64
	lines  []string // the history, where it is kept
	keep   bool
	faults map[string]int
	broken []string // what the checker found
	buffer []byte

	heard      map[string]time.Duration    // when a server heard an agent's heartbeat last
	partitions map[[2]string]time.Duration // agent and server that cannot reach each other, and until when
}

// proc is a process: what it had under way ends with it, and what comes for it waits while it is frozen.
type proc struct {
	name   string
	dead   bool
	frozen time.Duration // until then
	tasks  map[*task]bool
}

func newProc(name string) *proc { return &proc{name: name, tasks: make(map[*task]bool)} }

// event is something to come.
type event struct {
	at time.Duration
	n  int64
	p  *proc // nil: of the world itself
	do func()
}

// queue is a heap of what is to come.
type queue []*event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].n < q[j].n
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*event)) }
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return e
}

func newWorld(p Plan, keep bool) *World {
	w := &World{
		plan: p, rng: rand.New(rand.NewPCG(p.Seed, 1)), hash: fnv.New64a(), keep: keep, faults: make(map[string]int),
		witness: newWitness(), heard: make(map[string]time.Duration),
	}
	w.db = newDatabase(w)
	return w
}

// after does something later, for a process unless p is nil.
func (w *World) after(d time.Duration, p *proc, do func()) {
	w.next++
	heap.Push(&w.todo, &event{at: w.now + max(d, 0), n: w.next, p: p, do: do})
}

// run plays events until the time is over or stop says so.
func (w *World) run(until time.Duration, stop func() bool) {
	for len(w.todo) > 0 && w.todo[0].at <= until && len(w.broken) == 0 {
		e := heap.Pop(&w.todo).(*event)
		w.now = max(w.now, e.at)
		switch {
		case e.p != nil && e.p.dead:
			continue
		case e.p != nil && e.p.frozen > w.now:
			e.at = e.p.frozen
			heap.Push(&w.todo, e)
			continue
		}
		e.do()
		if stop != nil && stop() {
			return
		}
	}
	if len(w.broken) == 0 {
		w.now = max(w.now, until)
	}
}

// note adds a line to the history. Two runs of one seed write the same ones.
func (w *World) note(who, format string, args ...any) {
	w.buffer = fmt.Appendf(w.buffer[:0], "%9.3f %-6s ", w.now.Seconds(), who)
	w.buffer = fmt.Appendf(w.buffer, format, args...)
	w.hash.Write(w.buffer)
	if w.keep {
		w.lines = append(w.lines, string(w.buffer))
	}
}

// fault counts a fault and notes it.
func (w *World) fault(kind, who, format string, args ...any) {
	w.faults[kind]++
	w.note(who, "FAULT "+format, args...)
}

// violated notes that a promise was broken. The history ends there.
func (w *World) violated(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.broken = append(w.broken, text)
	w.note("CHECK", "%s", text)
}

// chance is true once in n.
func (w *World) chance(n int) bool { return w.rng.IntN(n) == 0 }

// between is a random time.
func (w *World) between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(w.rng.Int64N(int64(high-low)))
}

// clock is the database's time.
func (w *World) clock() time.Time { return epoch.Add(w.now).Truncate(time.Microsecond) }
