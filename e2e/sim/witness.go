package sim

import (
	"time"

	"octopus/agent/core"
	"octopus/e2e/history"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// witness sees what guests do, outside of everything that can crash or forget.
type witness struct {
	starts map[string][]seen     // by execution
	marks  map[core.Key]int      // starts of one try
	bytes  map[core.Key][][]byte // responses that journals were given

	history []history.Mark
}

// seen is one start.
type seen struct {
	attempt int
	fence   int64
	machine string
	at      time.Duration
	ended   bool
}

func newWitness() *witness {
	return &witness{starts: make(map[string][]seen), marks: make(map[core.Key]int), bytes: make(map[core.Key][][]byte)}
}

// started is a guest's first instruction.
func (v *witness) started(w *World, g *guest) {
	w.note(g.m.name, "GUEST of %s starts: attempt %d fence %d", g.key.Execution, g.attempt, g.key.Fence)
	id := g.key.Execution
	v.marks[g.key]++
	v.starts[id] = append(v.starts[id], seen{attempt: g.attempt, fence: g.key.Fence, machine: g.m.name, at: w.now})
	w.faults["guests"]++
	v.mark(w, g, true)
	if v.marks[g.key] > 1 {
		w.violated("promise 3: %s fence %d was started twice", id, g.key.Fence)
	}
	if r := w.db.rows[id]; r != nil && !w.contains(g.m.id, r.Sandbox) {
		w.violated("%s asks for the sandbox %s and started on %s, which does not reach it", id, r.Sandbox, g.m.name)
	}
	w.checkStarts(id)
}

// called is a host call: from then on an older attempt must be silent.
func (v *witness) called(w *World, g *guest) {
	v.mark(w, g, false)
	for _, s := range v.starts[g.key.Execution] {
		if s.attempt > g.attempt || s.attempt == g.attempt && s.fence > g.key.Fence {
			w.violated("promise 3: attempt %d of %s on %s makes a host call at %s, but attempt %d started on %s at %s",
				g.attempt, g.key.Execution, g.m.name, w.now, s.attempt, s.machine, s.at)
			return
		}
	}
}

// ended is a guest's last instruction.
func (v *witness) ended(w *World, g *guest) {
	w.note(g.m.name, "GUEST of %s ends: attempt %d fence %d", g.key.Execution, g.attempt, g.key.Fence)
	list := v.starts[g.key.Execution]
	for i := range list {
		if list[i].fence == g.key.Fence {
			list[i].ended = true
		}
	}
}

// kept is a result that a journal was given.
func (v *witness) kept(k core.Key, r *wire.Result, blob []byte) {
	if r.BlobSHA256 == "" {
		blob = r.Response
	}
	v.bytes[k] = append(v.bytes[k], blob)
}

// checkStarts holds the witness against the policy.
func (w *World) checkStarts(id string) {
	r := w.db.rows[id]
	if r == nil {
		w.violated("a guest of %s starts, which does not exist", id)
		return
	}
	starts := len(w.witness.starts[id])
	again := 0 // attempts that ended with a committed result
	for _, a := range w.db.attempts[id] {
		if a.Status == octopus.Failed || a.Status == octopus.TimedOut {
			again++
		}
	}
	switch {
	case r.OnLost == octopus.OnLostRetry && starts > r.MaxAttempts:
		w.violated("promise 3: %s was started %d times with max_attempts %d", id, starts, r.MaxAttempts)
	case r.OnLost != octopus.OnLostRetry && starts > 1+again:
		w.violated("promise 3: %s was started %d times, and only %d attempts had ended with a result", id, starts, again)
	case r.Attempt == 0:
		w.violated("%s is %s and was never given a go, but its guest starts", id, r.Status)
	}
}
