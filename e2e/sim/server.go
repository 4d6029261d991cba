package sim

import (
	"context"
	"fmt"
	"time"

	"octopus/server/bus"
	"octopus/server/dispatch"
)

// Times of server/upkeep.go and server/dispatch/follow.go.
const (
	leaseEvery = 5 * time.Second
	leaseTTL   = 15 * time.Second
	lookEvery  = 30 * time.Second
)

// server is one place where a server process runs; a crash ends the process and not the place.
type server struct {
	w    *World
	name string
	proc *proc // nil before the first start
	id   string
	ids  []string // of all its processes
	db   *handle
	d    dispatch.Driven

	lanes    *lanes
	conns    map[*hubConn]bool
	present  map[string]*hubConn // by agent
	draining bool
	woken    bool
	claiming bool
	sweeping bool
	missed   bool // a hint was lost
	renewed  time.Duration
	crashIn  int // at so many points more; 0: not
}

func (s *server) up() bool { return s.proc != nil && !s.proc.dead }

// start begins a process.
func (s *server) start() {
	if s.up() {
		return
	}
	w := s.w
	s.id = fmt.Sprintf("srv_%s_%d", s.name, len(s.ids)+1)
	s.ids = append(s.ids, s.id)
	s.proc = newProc(s.name)
	s.conns, s.present = make(map[*hubConn]bool), make(map[string]*hubConn)
	s.lanes = newLanes(w, s.proc)
	s.draining, s.woken, s.claiming, s.sweeping, s.missed, s.crashIn = false, false, false, false, false, 0
	s.db = &handle{s: s, b: w.db}
	w.note(s.name, "starts as %s", s.id)
	began := w.now
	s.d = dispatch.NewDriven(dispatch.Config{
		Store: s.db, Bus: s, Catalog: shelf{}, ServerID: s.id, Version: "sim",
		Now: func() time.Time { return epoch.Add(w.now) },
	}, s)
	_ = began
	s.renewed = w.now
	w.spawn(s.proc, func() {
		if err := s.d.Recover(context.Background()); err != nil {
			w.note(s.name, "does not start: %v", err)
			s.crash()
			w.die()
		}
		s.every(time.Second, s.sweep)
	})
	w.spawn(s.proc, s.renew)
	s.every(leaseEvery, func() { w.spawn(s.proc, s.renew) })
	if w.db.dialect == "postgres" {
		s.every(lookEvery, func() { w.spawn(s.proc, func() { s.d.LookAround(context.Background()) }) })
	}
}

// every is a ticker of the process.
func (s *server) every(d time.Duration, do func()) {
	var tick func()
	tick = func() {
		s.w.after(d, s.proc, tick)
		do()
	}
	s.w.after(s.w.between(0, d), s.proc, tick)
}

// sweep is dispatch's sweeper: one at a time.
func (s *server) sweep() {
	if s.sweeping {
		return
	}
	s.sweeping = true
	s.w.spawn(s.proc, func() {
		s.d.Sweep(context.Background())
		s.sweeping = false
	})
}

// claim is dispatch's claimer: one claim at a time.
func (s *server) claim() {
	if s.claiming || !s.woken {
		return
	}
	s.claiming = true
	s.w.spawn(s.proc, func() {
		for s.woken {
			s.woken = false
			s.d.Claim(context.Background())
		}
		s.claiming = false
	})
}

// renew keeps the lease; a server that renews late sends its agents away.
func (s *server) renew() {
	before := s.renewed
	if err := s.db.renew(s.id); err != nil {
		return
	}
	s.renewed = s.w.now
	if s.w.now-before > leaseTTL {
		s.w.note(s.name, "was late with its lease and sends its agents away")
		s.sendAway()
	}
}

func (s *server) sendAway() {
	for _, m := range s.w.agents {
		if h := s.present[m.id]; h != nil {
			h.Close(4012, "Come back.", 500*time.Millisecond, 3*time.Second)
		}
	}
}

// stop ends a process in order: agents are sent away, and what is under way is written.
func (s *server) stop(back time.Duration) {
	if !s.up() || s.draining {
		return
	}
	s.draining = true
	s.sendAway()
	s.w.after(5*time.Second, s.proc, func() {
		s.w.note(s.name, "has stopped")
		s.crash()
		s.w.after(back, nil, s.start)
	})
}

// crash ends the process.
func (s *server) crash() {
	if !s.up() {
		return
	}
	s.w.kill(s.proc)
	for _, m := range s.w.agents {
		for _, c := range m.conns {
			if c.s == s && c.polls != nil {
				c.polls.crashed()
				continue
			}
			if c.s == s && !c.serverGone {
				c.serverGone, c.lost = true, true
				if c.up.hole || c.down.hole {
					continue
				}
				s.w.after(s.w.between(0, 50*time.Millisecond), m.proc, func() { m.disconnected(c) })
			}
		}
	}
}

// Publish implements bus.Bus: hints reach every server, if the bus of this history is good.
func (s *server) Publish(hints ...bus.Hint) {
	w := s.w
	for _, h := range hints {
		for _, to := range w.servers {
			if !to.up() || to != s && w.plan.Bus == 0 {
				continue
			}
			if to != s && w.plan.Bus > 1 && !w.calm {
				if w.chance(w.plan.Bus) {
					w.faults["lost hints"]++
					to.missed = w.chance(2)
					continue
				}
				if w.chance(w.plan.Bus) {
					w.faults["doubled hints"]++
					to.follow(h, w.between(0, 2*time.Second))
				}
			}
			to.follow(h, w.between(0, 5*time.Millisecond))
		}
	}
}

func (s *server) follow(h bus.Hint, delay time.Duration) {
	switch h.Topic {
	case "agents", "queued", "cancels":
	default:
		return
	}
	s.w.after(delay, s.proc, func() {
		missed := s.missed
		s.missed = false
		s.w.spawn(s.proc, func() { s.d.Follow(context.Background(), h, missed) })
	})
}

// Subscribe implements bus.Bus. Nobody waits in a history.
func (s *server) Subscribe(int, ...string) *bus.Subscription { panic("sim: a subscription") }

// Close implements bus.Bus.
func (s *server) Close() {}
