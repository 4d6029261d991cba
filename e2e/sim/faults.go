package sim

import (
	"time"

	"octopus/agent/core"
)

// inject arranges for a fault of the plan.
func (w *World) inject(f fault) {
	w.after(f.at, nil, func() {
		if w.calm {
			return
		}
		switch f.kind {
		case "server crash", "server crash at a point", "server stop", "server freeze":
			w.serverFault(w.servers[f.who], f)
		case "break", "silent break", "half open up", "half open down", "stall", "partition":
			w.netFault(w.agents[f.who], w.servers[f.other], f)
		case "database broken", "database clock":
			w.databaseFault(f)
		default:
			w.agentFault(w.agents[f.who], f)
		}
	})
}

func (w *World) serverFault(s *server, f fault) {
	if !s.up() {
		return
	}
	switch f.kind {
	case "server crash":
		w.fault(f.kind, s.name, "crashes")
		s.crash()
	case "server crash at a point":
		s.crashIn = f.n // counted when it happens
	case "server stop":
		w.fault(f.kind, s.name, "is told to stop")
		s.stop(f.long)
		return
	case "server freeze":
		w.fault(f.kind, s.name, "is frozen for %s", f.long)
		s.proc.frozen = max(s.proc.frozen, w.now+f.long)
		return
	}
	w.after(f.long, nil, s.start)
}

func (w *World) agentFault(m *machine, f fault) {
	if !m.up() {
		return
	}
	switch f.kind {
	case "agent crash", "power cut", "fast restart":
		w.fault(f.kind, m.name, "ends: %s", f.kind)
		m.crash(f.kind == "power cut")
		if f.kind == "fast restart" {
			f.long = w.between(0, 30*time.Millisecond)
		}
		w.after(f.long, nil, m.start)
	case "agent crash at a point", "power cut at a point":
		m.crashIn, m.powerCut = f.n, f.kind == "power cut at a point"
		w.after(f.long+5*time.Second, nil, m.start)
	case "agent stop":
		w.fault(f.kind, m.name, "is told to stop")
		m.post(core.Stop{Reason: "told to", Grace: f.long})
	case "agent asleep":
		w.fault(f.kind, m.name, "sleeps for %s", f.long)
		m.proc.frozen = max(m.proc.frozen, w.now+f.long)
	case "clock jump":
		w.fault(f.kind, m.name, "has its clock jump by %s", f.long)
		m.clockAhead += f.long
		m.post(core.Tick{})
	case "journal lost":
		w.fault(f.kind, m.name, "loses its journal")
		m.crash(false)
		m.disk = w.newJournal()
		w.after(f.long, nil, m.start)
	case "disk full":
		w.fault(f.kind, m.name, "has no room on its disk for %s", f.long)
		m.disk.full = true
		w.after(f.long, nil, func() { m.disk.full = false })
	case "drained", "disabled":
		w.fault(f.kind, m.name, "is %s for %s", f.kind, f.long)
		w.decide(m, f.kind, true)
		w.after(f.long, nil, func() { w.decide(m, f.kind, false) })
	}
}

// decide is an administrator's decision about an agent.
func (w *World) decide(m *machine, what string, on bool) {
	a := w.db.agents[m.id]
	if what == "drained" {
		a.Drained = on
	} else {
		a.Enabled = !on
	}
	for _, s := range w.servers {
		if s.up() {
			(&handle{s: s, b: w.db}).hint("agents", m.id)
			return
		}
	}
}

func (w *World) netFault(m *machine, s *server, f fault) {
	c := m.conn
	if f.kind == "partition" {
		w.partition(m, s, f)
		return
	}
	if c == nil || c.lost {
		return
	}
	w.fault(f.kind, m.name, "has its connection to %s: %s", c.s.name, f.kind)
	if c.polls != nil { // a hole is on the way, not in one connection
		w.after(f.long, nil, func() { c.up.hole, c.down.hole = false, false })
	}
	switch f.kind {
	case "break":
		c.sever(false)
	case "silent break":
		c.sever(true)
		if c.polls == nil {
			c.tell(w.between(0, 40*time.Second), w.between(0, 40*time.Second))
		}
	case "half open up":
		c.up.hole = true
	case "half open down":
		c.down.hole = true
	case "stall":
		c.up.still, c.down.still = w.now+f.long, w.now+w.between(0, f.long+1)
	}
}

// partition cuts an agent off from one server, or from all.
func (w *World) partition(m *machine, s *server, f fault) {
	w.fault(f.kind, m.name, "cannot reach %s (n %d) for %s", s.name, f.n, f.long)
	if w.partitions == nil {
		w.partitions = make(map[[2]string]time.Duration)
	}
	for _, other := range w.servers {
		if other != s && f.n%2 == 0 {
			continue
		}
		w.partitions[[2]string{m.name, other.name}] = w.now + f.long
		if c := m.conn; c != nil && c.s == other {
			c.sever(f.n%3 > 0)
		}
	}
}

// blocked reports whether an agent cannot reach a server.
func (w *World) blocked(m *machine, s *server) bool {
	return w.partitions[[2]string{m.name, s.name}] > w.now
}

func (w *World) databaseFault(f fault) {
	if f.kind == "database broken" {
		w.fault(f.kind, "db", "does not answer for %s", f.long)
		w.db.broken = max(w.db.broken, w.now+f.long)
		return
	}
	w.fault(f.kind, "db", "has its clock jump by %s", f.long/2)
	w.db.skew += f.long / 2
}

// settle ends all faults.
func (w *World) settle() {
	w.calm = true
	w.note("WORLD", "faults are over")
	w.db.broken = 0
	clear(w.partitions)
	for _, s := range w.servers {
		if s.up() {
			s.proc.frozen, s.crashIn = 0, 0
		}
		w.after(w.between(0, 2*time.Second), nil, s.start)
	}
	for _, m := range w.agents {
		m.disk.full = false
		if m.up() {
			m.proc.frozen, m.crashIn = 0, 0
		}
		w.after(w.between(0, 2*time.Second), nil, m.start)
		w.decide(m, "drained", false)
		w.decide(m, "disabled", false)
	}
}
