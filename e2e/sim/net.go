package sim

import (
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// conn is one connection between an agent and a server, with a pipe each way. It keeps order until it breaks; a pipe
// may be slow, stand still, or swallow what it is given (half open). Both ends notice a break on their own time.
type conn struct {
	w           *World
	n           int64
	m           *machine
	s           *server
	incarnation string
	up, down    pipe // towards the server, and towards the agent
	hub         *hubConn
	polls       *polls // nil: a WebSocket

	agentGone, serverGone bool // that end has noticed, or closed it
	lost                  bool // the network between them is gone
}

// pipe is one direction.
type pipe struct {
	queue  []wire.Message
	last   time.Duration // when the newest message arrives
	still  time.Duration // nothing arrives before
	hole   bool          // nothing arrives any more
	recent []wire.Message
}

func (c *conn) pipe(up bool) *pipe {
	if up {
		return &c.up
	}
	return &c.down
}

// send puts a message into a pipe.
func (c *conn) send(up bool, m wire.Message) {
	if c.polls != nil {
		c.polls.send(up, m)
		return
	}
	p := c.pipe(up)
	if c.lost || p.hole {
		return
	}
	p.queue = append(p.queue, m)
	delay := c.w.between(0, 3*time.Millisecond)
	if c.w.chance(30) {
		delay = c.w.between(0, c.w.plan.Slowest)
	}
	p.last = max(p.last, c.w.now+delay, p.still)
	to := c.m.proc
	if up {
		to = c.s.proc
	}
	c.w.after(p.last-c.w.now, to, func() { c.arrive(up) })
	if c.w.plan.Double > 0 && c.w.chance(c.w.plan.Double) {
		c.double(up)
	}
	if p.recent = append(p.recent, m); len(p.recent) > 4 {
		p.recent = p.recent[1:]
	}
}

// double sends the latest messages again, as a transport does that had no answer and cannot know what arrived.
func (c *conn) double(up bool) {
	p := c.pipe(up)
	n := 1 + c.w.rng.IntN(3)
	again := p.recent[max(0, len(p.recent)-n):]
	c.w.fault("doubled messages", c.m.name, "%d messages are sent again (up %v)", len(again), up)
	for _, m := range again {
		p.queue = append(p.queue, m)
		to := c.m.proc
		if up {
			to = c.s.proc
		}
		p.last += c.w.between(0, 2*time.Millisecond)
		c.w.after(p.last-c.w.now, to, func() { c.arrive(up) })
	}
}

// arrive takes the oldest message out of a pipe.
func (c *conn) arrive(up bool) {
	p := c.pipe(up)
	if len(p.queue) == 0 || p.hole || c.lost {
		return
	}
	if p.still > c.w.now {
		p2 := c.m.proc
		if up {
			p2 = c.s.proc
		}
		c.w.after(p.still-c.w.now, p2, func() { c.arrive(up) })
		return
	}
	m := p.queue[0]
	p.queue = p.queue[1:]
	if up {
		if !c.serverGone {
			c.hub.take(m)
		}
		return
	}
	if !c.agentGone {
		c.m.receive(c, m)
	}
}

// sever ends the network between both. Each end notices after a while, or, where the peer just vanished, when it
// misses something. Long polls go on with the next one.
func (c *conn) sever(silently bool) {
	if c.polls != nil {
		c.polls.cutAll(silently)
		return
	}
	if c.lost {
		return
	}
	c.lost = true
	if silently {
		return
	}
	c.tell(c.w.between(0, 20*time.Millisecond), c.w.between(0, 20*time.Millisecond))
}

// tell lets both ends notice.
func (c *conn) tell(agent, server time.Duration) {
	c.w.after(agent, c.m.proc, func() { c.m.disconnected(c) })
	c.w.after(server, c.s.proc, func() { c.hub.broke("the connection broke") })
}

// closeBy ends the connection from one side; what was sent before still arrives.
func (c *conn) closeBy(server bool) {
	if server {
		if c.serverGone {
			return
		}
		c.serverGone = true
		if c.lost || c.down.hole {
			return
		}
		at := max(c.down.last, c.w.now) + c.w.between(0, 3*time.Millisecond)
		c.w.after(at-c.w.now, c.m.proc, func() { c.m.disconnected(c) })
		return
	}
	if c.agentGone {
		return
	}
	c.agentGone = true
	if c.polls != nil {
		c.polls.leaves()
		return
	}
	if c.lost || c.up.hole {
		return
	}
	at := max(c.up.last, c.w.now) + c.w.between(0, 3*time.Millisecond)
	c.w.after(at-c.w.now, c.s.proc, func() { c.hub.broke("the agent closed the connection") })
}

// alive reports whether a ping would be answered.
func (c *conn) alive() bool {
	return !c.lost && !c.up.hole && !c.down.hole && !c.agentGone && !c.m.proc.dead && c.m.proc.frozen <= c.w.now && c.m.conn == c
}

// refusal is why a server does not let an agent in.
func refusal(code octopus.Code, sentence string) error { return octopus.Errorf(code, "%s", sentence) }
