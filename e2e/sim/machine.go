package sim

import (
	"errors"
	"fmt"
	"time"

	"octopus/agent/core"
	"octopus/agent/link"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// machine is one machine with an agent: its disk outlives its processes. What decides is agent/core; this is the
// shell of package agent around it.
type machine struct {
	w       *World
	name    string
	id      string
	slots   int
	facts   octopus.Facts
	polling bool // behind a proxy through which few WebSockets come
	disk    *journal
	blobs   map[core.Key][]byte // large results, on the disk until the server has them

	proc        *proc // nil before the first start
	core        *core.Core
	incarnation string
	starts      int
	guests      map[core.Key]*guest
	conn        *conn   // that this process has open
	conns       []*conn // those of all processes that somebody may still believe in
	dialing     bool
	opened      time.Duration
	window      link.Window
	backoff     link.Backoff
	timer       int // the number of the timer that counts
	clockAhead  time.Duration
	crashIn     int  // after so many effects more; 0: not
	powerCut    bool // the crash to come is a loss of power
	busy        bool // events are being taken
	waiting     []core.Event
}

func (m *machine) up() bool { return m.proc != nil && !m.proc.dead }

// clock is the agent's: it goes on while the machine sleeps.
func (m *machine) clock() time.Duration { return m.w.now + m.clockAhead }

// start begins a process.
func (m *machine) start() {
	if m.up() {
		return
	}
	m.starts++
	m.proc = newProc(m.name)
	m.incarnation = fmt.Sprintf("%s-%d", m.name, m.starts)
	m.guests = make(map[core.Key]*guest)
	m.conn, m.dialing, m.crashIn, m.waiting, m.busy = nil, false, 0, nil, false
	m.window = link.Window{}
	m.backoff = link.Backoff{Rand: m.w.rng.Int64N}
	restored := m.disk.read()
	m.core = core.New(core.Config{Slots: m.slots, MaxPending: 20, Admit: m.admit}, restored)
	m.w.note(m.name, "starts as %s with %s and %d executions", m.incarnation, m.disk.id, len(restored))
	for _, r := range restored {
		m.guests[core.Key{Execution: r.Offer.Execution, Fence: r.Offer.Fence}] = nil
	}
	m.dialAfter(m.w.between(0, 100*time.Millisecond))
}

// admit is the owner's policy: of some executions it wants nothing.
func (m *machine) admit(o *wire.Offer) (wire.RejectReason, string) {
	if string(o.Params) == `"`+m.name+` refuses"` {
		return wire.RejectPolicy, "The owner forbids it."
	}
	if m.disk.full {
		return wire.RejectNoSpace, "The disk is full."
	}
	return "", ""
}

// dialAfter opens a connection later.
func (m *machine) dialAfter(d time.Duration) {
	if m.dialing {
		return
	}
	m.dialing = true
	m.w.after(d, m.proc, m.dial)
}

func (m *machine) dial() {
	m.dialing = false
	s, err := m.reach()
	if err != nil {
		m.dialAfter(m.backoff.Next(err, 0, link.Window{}))
		return
	}
	m.open(s)
}

// reach asks any server to be let in.
func (m *machine) reach() (*server, error) {
	w := m.w
	s := w.servers[w.rng.IntN(len(w.servers))]
	if !s.up() || s.proc.frozen > w.now || w.blocked(m, s) {
		return nil, errUnreachable
	}
	if err := s.admit(m); err != nil {
		return nil, &link.Refused{Status: 503, Sentence: octopus.Sentence(err), RetryAfter: 2 * time.Second}
	}
	return s, nil
}

var errUnreachable = errors.New("the server cannot be reached")

// open makes a connection and says hello.
func (m *machine) open(s *server) {
	w := m.w
	w.next++
	c := &conn{w: w, n: w.next, m: m, s: s, incarnation: m.incarnation}
	if m.polling && !w.chance(4) { // else a WebSocket came through
		c.polls = w.newPolls(c)
	} else {
		c.hub = &hubConn{c: c, s: s}
		s.conns[c.hub] = true
	}
	m.conns = append(live(m.conns), c)
	m.conn, m.opened = c, w.now
	w.note(m.name, "connects to %s", s.name)
	m.post(core.Connected{Hello: wire.Hello{Agent: m.id, Incarnation: m.incarnation, JournalID: m.disk.id, Facts: m.facts}})
}

// live drops connections that both ends have forgotten.
func live(list []*conn) []*conn {
	kept := list[:0]
	for _, c := range list {
		if !c.agentGone || !c.serverGone {
			kept = append(kept, c)
		}
	}
	return kept
}

// receive is one message from the server.
func (m *machine) receive(c *conn, msg wire.Message) {
	if m.conn == c {
		m.post(core.Message{Message: msg})
	}
}

// disconnected says that a connection has ended.
func (m *machine) disconnected(c *conn) {
	if c.agentGone && m.conn != c {
		return
	}
	c.agentGone = true
	if m.conn != c {
		return
	}
	m.conn = nil
	m.w.note(m.name, "is disconnected from %s", c.s.name)
	m.post(core.Disconnected{})
	if m.up() {
		m.dialAfter(m.backoff.Next(nil, m.w.now-m.opened, m.window))
		m.window = link.Window{}
	}
}

// post takes an event, and those that its effects lead to.
func (m *machine) post(e core.Event) {
	m.waiting = append(m.waiting, e)
	if m.busy {
		return
	}
	m.busy = true
	p := m.proc
	for len(m.waiting) > 0 {
		e := m.waiting[0]
		m.waiting = m.waiting[1:]
		for _, effect := range m.core.Step(m.clock(), e) {
			if exit, ok := effect.(core.Exit); ok {
				m.exit(exit.Err)
				return
			}
			m.perform(effect)
			if m.interrupted(); m.proc != p || p.dead {
				return
			}
		}
	}
	m.busy = false
	m.arm()
}

// interrupted may end the process between two effects.
func (m *machine) interrupted() {
	if m.crashIn == 0 {
		return
	}
	if m.crashIn--; m.crashIn == 0 {
		m.w.fault("agent crash", m.name, "crashes between two effects (power %v)", m.powerCut)
		m.crash(m.powerCut)
	}
}

// arm sets the timer for what the core waits for.
func (m *machine) arm() {
	m.timer++
	at, ok := m.core.Wake()
	if !ok {
		return
	}
	n := m.timer
	m.w.after(at-m.clock(), m.proc, func() {
		if n == m.timer {
			m.post(core.Tick{})
		}
	})
}

// exit is the end of a process that was asked to stop.
func (m *machine) exit(err error) {
	m.w.note(m.name, "exits: %v", err)
	if c := m.conn; c != nil {
		m.conn = nil
		c.closeBy(false)
	}
	m.end()
	m.w.after(m.w.between(0, 5*time.Second), nil, m.start)
}

// crash ends the process at once; with a loss of power the disk loses what was not synced.
func (m *machine) crash(power bool) {
	if !m.up() {
		return
	}
	for _, c := range m.conns {
		if c.polls != nil {
			if !c.agentGone && !power {
				c.polls.cutAll(false)
			}
			c.agentGone = true
			continue
		}
		if !c.agentGone {
			c.agentGone, c.lost = true, true
			if !power && !c.up.hole { // the kernel says goodbye for a process, nobody does for a machine
				m.w.after(m.w.between(0, 20*time.Millisecond), c.s.proc, func() { c.hub.broke("the connection broke") })
			}
		}
	}
	m.conn = nil
	m.end()
	if power {
		m.w.note(m.name, "%d records were not on the disk", m.disk.cut())
	}
}

func (m *machine) end() {
	for _, g := range m.ordered() {
		g.vanish()
	}
	m.w.kill(m.proc)
}

// ordered lists the guests, the same way each time.
func (m *machine) ordered() []*guest {
	var list []*guest
	for _, h := range m.core.Holdings() {
		if g := m.guests[h.Key]; g != nil {
			list = append(list, g)
		}
	}
	return list
}
