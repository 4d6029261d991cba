package sim

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"octopus/internal/wire"
)

// Times of server/hub: how long a session waits for the next poll, also where the connection of one broke, and how long
// a goodbye waits for a poll to travel with. maxUnder is how many frames of the server are under way.
const (
	pollGap     = 5 * time.Second
	pollGapCut  = 2 * time.Second
	lastAnswer  = 5 * time.Second
	maxUnder    = 64
	breaksAfter = 20 * time.Millisecond // both ends notice within it that a connection broke
)

// polls is a connection of long polls. What decides is the product's own code, wire.PollClient and wire.PollServer; this
// is the network between them, in which each poll and each answer may be late, overtake others, come twice or not at
// all.
type polls struct {
	w *World
	c *conn

	client  *wire.PollClient // the agent's half, with what is under way
	backlog [][]byte
	resting bool
	under   []*request

	hub     *hubConn // the server's half, nil where it knows no such session
	server  *wire.PollServer
	outlog  [][]byte
	waiting []*request
	gap     int // the number of the timer that counts

	said     [][]byte // all frames of the agent in this session
	up, down carried
}

// carried is what was put into one direction of a session and has not come out: all of it has to, once and in order.
type carried struct{ frames [][]byte }

// came compares what came out with what is due.
func (c *carried) came(w *World, who string, frame []byte) {
	if len(c.frames) == 0 || !bytes.Equal(c.frames[0], frame) {
		w.violated("long polls: %s was handed a frame out of turn, %d were due: %.100s", who, len(c.frames), frame)
		return
	}
	c.frames = c.frames[1:]
}

// request is one poll.
type request struct {
	poll *wire.Poll
	at   time.Duration
	done bool // the agent does not wait for it any more
	cut  bool // its connection broke
	held bool // the server has not answered it yet
}

func (w *World) newPolls(c *conn) *polls {
	w.faults["sessions of long polls"]++
	return &polls{w: w, c: c, client: wire.NewPollClient(fmt.Sprintf("session%d", c.n), "the proxy breaks WebSockets")}
}

// delay is how long a poll or an answer takes.
func (p *polls) delay(pipe *pipe) time.Duration {
	d := p.w.between(0, 3*time.Millisecond)
	if p.w.chance(30) {
		d = p.w.between(0, p.w.plan.Slowest)
	}
	return max(d, pipe.still-p.w.now)
}

// send takes a message to be carried.
func (p *polls) send(up bool, m wire.Message) {
	frame, err := wire.Encode(m)
	if err != nil {
		panic("sim: " + err.Error())
	}
	if up {
		p.said, p.up.frames = append(p.said, frame), append(p.up.frames, frame)
		p.backlog = append(p.backlog, frame)
		p.pump()
		return
	}
	if p.server != nil {
		p.down.frames = append(p.down.frames, frame)
		p.outlog = append(p.outlog, frame)
		p.changed()
	}
}

// pump sends the polls that are due.
func (p *polls) pump() {
	for len(p.backlog) > 0 && p.client.Add(p.backlog[0]) {
		p.backlog = p.backlog[1:]
	}
	for !p.resting && !p.c.agentGone {
		poll := p.client.Next()
		if poll == nil {
			return
		}
		p.post(poll)
	}
}

// post sends a poll. Where it comes to nothing the agent learns so at once, or only when it has waited in vain.
func (p *polls) post(poll *wire.Poll) {
	w := p.w
	r := &request{poll: poll, at: w.now}
	p.under = append(p.under, r)
	wait := wire.PollSlack + time.Duration(poll.WaitMS)*time.Millisecond
	w.after(wait, p.c.m.proc, func() { p.failed(r) })
	switch {
	case p.c.up.hole:
		return
	case w.blocked(p.c.m, p.c.s):
		p.breaks(r)
		return
	}
	w.after(p.delay(&p.c.up), nil, func() { p.arrive(r, false) })
	if w.plan.Double > 0 && w.chance(w.plan.Double) {
		w.fault("doubled polls", p.c.m.name, "poll %d is sent twice", poll.Number)
		w.after(p.delay(&p.c.up), nil, func() { p.arrive(r, true) })
	}
}

// breaks cuts the connection of a request: its answer is lost, and both ends notice.
func (p *polls) breaks(r *request) {
	if r.cut {
		return
	}
	r.cut = true
	p.w.after(p.w.between(0, breaksAfter), p.c.m.proc, func() { p.failed(r) })
	if p.hub != nil {
		hub := p.hub
		p.w.after(p.w.between(0, breaksAfter), p.c.s.proc, func() {
			if r.held && p.hub == hub {
				p.leave(r, pollGapCut)
			}
		})
	}
}

// finish ends a request for the agent; false: it had ended before.
func (p *polls) finish(r *request) bool {
	if r.done || p.c.agentGone {
		return false
	}
	r.done = true
	kept := p.under[:0]
	for _, other := range p.under {
		if other != r {
			kept = append(kept, other)
		}
	}
	p.under = kept
	return true
}

// failed is a request that came to nothing.
func (p *polls) failed(r *request) {
	if !p.finish(r) {
		return
	}
	p.w.faults["polls without an answer"]++
	pause, err := p.client.Failed(r.poll, p.w.now-r.at, errors.New("no answer"))
	p.goOn(pause, err)
}

// goOn sends the next poll after a pause, or ends the session at the agent.
func (p *polls) goOn(pause time.Duration, err error) {
	switch {
	case err != nil:
		p.c.m.disconnected(p.c)
	case pause > 0:
		p.resting = true
		p.w.after(pause, p.c.m.proc, func() {
			p.resting = false
			p.pump()
		})
	default:
		p.pump()
	}
}

// answered is an answer at the agent.
func (p *polls) answered(r *request, a *wire.Polled) {
	frames, _, pause, err := p.client.Answered(r.poll, a)
	for _, frame := range frames {
		p.down.came(p.w, p.c.m.name, frame)
		m, problem := wire.Decode(frame)
		if problem != nil {
			panic("sim: " + problem.Error())
		}
		if p.c.m.receive(p.c, m); p.c.agentGone {
			return
		}
	}
	if a.Close != nil {
		err = errors.New(a.Close.Reason)
	}
	p.goOn(pause, err)
}

// leaves is the agent's goodbye, which may not arrive.
func (p *polls) leaves() {
	poll := p.client.Bye("the agent closes")
	r := &request{poll: poll, at: p.w.now, done: true}
	if !p.c.up.hole && !p.w.blocked(p.c.m, p.c.s) {
		p.w.after(p.delay(&p.c.up), nil, func() { p.arrive(r, false) })
	}
}

// cutAll breaks what is under way: with a sign of it at both ends, or without.
func (p *polls) cutAll(silently bool) {
	for _, r := range append([]*request(nil), p.under...) {
		if silently {
			r.cut = true
			continue
		}
		p.breaks(r)
	}
}
