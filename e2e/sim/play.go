package sim

import (
	"fmt"
	"strings"
	"time"

	"octopus/agent/core"
	"octopus/internal/octopus"
)

// Report is what came of a history.
type Report struct {
	Plan   Plan
	Broken []string // promises that were broken; none if all is well
	Hash   uint64   // of the whole history
	Lines  []string // the history, where it was kept
	Faults map[string]int
	Took   time.Duration // virtual
}

// Play plays a plan to its end.
func Play(p Plan, keep bool) Report {
	w := newWorld(p, keep)
	w.build()
	w.run(faultsEnd, nil)
	if len(w.broken) == 0 {
		w.settle()
		w.run(w.horizon(), w.settledNow())
		if len(w.broken) == 0 {
			w.checkEnd(true)
		}
	}
	w.end()
	return Report{Plan: p, Broken: w.broken, Hash: w.hash.Sum64(), Lines: w.lines, Faults: w.faults, Took: w.now}
}

// build makes everybody, and arranges for what is to come.
func (w *World) build() {
	if w.plan.Servers > 1 {
		w.db.dialect = "postgres"
	}
	for i := range w.plan.Servers {
		s := &server{w: w, name: fmt.Sprintf("srv-%d", i+1)}
		w.servers = append(w.servers, s)
	}
	for i, slots := range w.plan.Slots {
		m := &machine{w: w, name: agentName(i), id: agentID(i), slots: slots, polling: i < len(w.plan.Polls) && w.plan.Polls[i], disk: w.newJournal(), blobs: make(map[core.Key][]byte)}
		m.facts.Slots = slots
		if i < len(w.plan.Levels) {
			m.facts.Sandbox.Level = string(w.plan.Levels[i])
		}
		w.agents = append(w.agents, m)
		w.db.agentIDs = append(w.db.agentIDs, m.id)
		w.db.agents[m.id] = &octopus.Agent{ID: m.id, Name: m.name, Enabled: true, Slots: slots, Facts: m.facts}
	}
	w.people = &people{w: w, runs: make(map[int]string)}
	for _, s := range w.servers {
		s.start()
	}
	for _, m := range w.agents {
		m.start()
	}
	for _, x := range w.plan.Wishes {
		w.people.want(x)
	}
	for _, f := range w.plan.Faults {
		w.inject(f)
	}
}

// horizon is when everything must be over: the latest bound, and time for agents to forget.
func (w *World) horizon() time.Duration {
	last := faultsEnd
	for _, x := range w.plan.Wishes {
		all := x.work.Deadline
		if all == 0 {
			all = time.Duration(x.work.MaxAttempts)*(x.work.Timeout+overtime+prepare+20*time.Second) + time.Duration(x.work.MaxAttempts)*x.work.WaitTTL
		}
		last = max(last, faultsEnd+x.work.WaitTTL+all+15*time.Minute)
	}
	return last + 3*time.Minute
}

// settledNow looks once a second of virtual time whether all is over.
func (w *World) settledNow() func() bool {
	next := w.now + 30*time.Second // clients ask again within this time
	return func() bool {
		if w.now < next {
			return false
		}
		next = w.now + time.Second
		return w.settled()
	}
}

// end frees what is left of the coroutines.
func (w *World) end() {
	w.task = nil
	for _, s := range w.servers {
		if s.up() {
			w.kill(s.proc)
		}
	}
}

// Shrink drops what a failing plan does not need to fail: faults, then wishes.
func Shrink(p Plan) Plan {
	fails := func(q Plan) bool { return len(Play(q, false).Broken) > 0 }
	p.Faults = fewer(p.Faults, func(list []fault) bool { q := p; q.Faults = list; return fails(q) })
	p.Wishes = fewer(p.Wishes, func(list []wish) bool { q := p; q.Wishes = list; return fails(q) })
	p.Faults = fewer(p.Faults, func(list []fault) bool { q := p; q.Faults = list; return fails(q) })
	return p
}

// fewer drops elements, larger pieces first, as long as the rest still fails.
func fewer[T any](list []T, fails func([]T) bool) []T {
	for size := max(len(list)/2, 1); size >= 1; size /= 2 {
		for at := 0; at < len(list); {
			rest := append(append([]T{}, list[:at]...), list[min(at+size, len(list)):]...)
			if fails(rest) {
				list = rest
				continue
			}
			at += size
		}
	}
	return list
}

// String is a report for people: what was broken, what it takes, and the whole history.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s\n", r.Plan.Seed, strings.Join(r.Broken, "; "))
	fmt.Fprintf(&b, "%d servers, agents with %v slots, long polls %v, bus %d, doubling %d, slowest message %s\n", r.Plan.Servers, r.Plan.Slots, r.Plan.Polls, r.Plan.Bus, r.Plan.Double, r.Plan.Slowest)
	for _, x := range r.Plan.Wishes {
		fmt.Fprintf(&b, "wish  %7.3f %s of %d (%d) %s %s wait %s timeout %s deadline %s lost after %s on_lost %s attempts %d\n", x.at.Seconds(), x.kind, x.of, x.nth,
			x.work.Target.Mode, x.work.Target.Agent, x.work.WaitTTL, x.work.Timeout, x.work.Deadline, x.work.LostAfter, x.work.OnLost, x.work.MaxAttempts)
	}
	for _, f := range r.Plan.Faults {
		fmt.Fprintf(&b, "fault %s\n", f)
	}
	for _, line := range r.Lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	return b.String()
}
