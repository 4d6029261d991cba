package sim

import (
	"errors"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// arrive is a poll at the server, for the second time where a proxy sent it again: its nonce is spent then.
func (p *polls) arrive(r *request, again bool) {
	s := p.c.s
	switch {
	case r.cut:
		return
	case !s.up():
		p.breaks(r)
		return
	case s.proc.frozen > p.w.now:
		p.w.after(s.proc.frozen-p.w.now, nil, func() { p.arrive(r, again) })
		return
	case again:
		if p.w.chance(2) {
			p.answer(r, nil, errSpent)
		}
		return
	}
	if p.hub == nil {
		if err := p.opened(r.poll); err != nil {
			p.answer(r, nil, err)
			return
		}
	}
	if err := p.server.Begin(r.poll); err != nil {
		p.answer(r, nil, err)
		return
	}
	p.gap++
	r.held = true
	p.waiting = append(p.waiting, r)
	p.takeIn(r.poll)
	if p.hub == nil {
		return // it said goodbye
	}
	p.changed()
	if r.held {
		p.w.after(time.Duration(r.poll.WaitMS)*time.Millisecond, s.proc, func() {
			if r.held && p.hub != nil {
				p.reply(r)
			}
		})
	}
}

var errSpent = errors.New("the nonce was used before")

// opened opens the session at the server, with its first poll.
func (p *polls) opened(poll *wire.Poll) error {
	if !poll.Opens() {
		return octopus.Errorf(octopus.CodeStale, "This server does not know the session of the poll. Open a new one.")
	}
	if err := p.c.s.admit(p.c.m); err != nil {
		return err
	}
	p.hub = &hubConn{c: p.c, s: p.c.s}
	p.c.hub, p.c.serverGone = p.hub, false
	p.c.s.conns[p.hub] = true
	p.server, p.outlog, p.waiting = new(wire.PollServer), nil, nil
	p.up.frames, p.down.frames = slices.Clone(p.said), nil
	return nil
}

// takeIn hands the frames of a poll to the hub.
func (p *polls) takeIn(poll *wire.Poll) {
	hub := p.hub
	for i, frame := range poll.Frames {
		fresh, gap := p.server.Fresh(poll.Seq + int64(i))
		if gap || p.server.Close != nil {
			break
		}
		if !fresh {
			p.w.faults["frames that came again"]++
			continue
		}
		p.server.Taken()
		p.up.came(p.w, p.c.s.name, frame)
		m, err := wire.Decode(frame)
		if err != nil {
			panic("sim: " + err.Error())
		}
		if hub.take(m); p.hub != hub {
			return
		}
	}
	if poll.Bye != "" {
		p.over("the agent said goodbye")
	}
}

// changed answers the polls that need not wait any more.
func (p *polls) changed() {
	for len(p.outlog) > 0 && p.server.Add(p.outlog[0], maxUnder) {
		p.outlog = p.outlog[1:]
	}
	for _, r := range append([]*request(nil), p.waiting...) {
		if r.held && p.server.Due(r.poll) {
			p.reply(r)
		}
	}
}

// reply answers a poll. Where it carries the goodbye the session is over.
func (p *polls) reply(r *request) {
	a := p.server.Answer(r.poll)
	p.leave(r, pollGap)
	p.answer(r, a, nil)
	if a.Close != nil {
		p.w.after(0, p.c.s.proc, func() { p.over(a.Close.Reason) })
	}
}

// leave takes a request off the server. When it was the last, another has to come within a time.
func (p *polls) leave(r *request, within time.Duration) {
	r.held = false
	kept := p.waiting[:0]
	for _, other := range p.waiting {
		if other != r {
			kept = append(kept, other)
		}
	}
	if p.waiting = kept; len(kept) > 0 {
		return
	}
	p.gap++
	n, hub := p.gap, p.hub
	p.w.after(within, p.c.s.proc, func() {
		if n == p.gap && p.hub == hub {
			p.over("the agent stopped polling")
		}
	})
}

// answer carries an answer, or a refusal, back.
func (p *polls) answer(r *request, a *wire.Polled, refused error) {
	if r.cut || p.c.down.hole || p.w.blocked(p.c.m, p.c.s) {
		return
	}
	p.w.after(p.delay(&p.c.down), p.c.m.proc, func() {
		if r.cut || !p.finish(r) {
			return
		}
		switch {
		case refused == nil:
			p.answered(r, a)
		case !p.client.Newest(r.poll) || errors.Is(refused, errSpent):
			p.client.Again(r.poll)
			p.pump()
		default:
			p.w.note(p.c.m.name, "is refused by %s: %s", p.c.s.name, octopus.Sentence(refused))
			p.goOn(0, refused)
		}
	})
}

// over ends the session at the server: nothing of it is known any more.
func (p *polls) over(cause string) {
	if p.hub == nil {
		return
	}
	hub := p.hub
	held := p.waiting
	p.hub, p.server, p.waiting = nil, nil, nil
	for _, r := range held {
		r.held = false
		p.answer(r, nil, octopus.Errorf(octopus.CodeStale, "The session has ended. Open a new one."))
	}
	hub.broke(cause)
}

// goodbye ends the session from the server's side, with the next answer or without.
func (p *polls) goodbye(hub *hubConn, code int, why string) {
	if p.hub != hub {
		hub.broke(why)
		return
	}
	p.server.Close = &wire.PollClose{Code: code, Reason: why}
	p.w.after(lastAnswer, p.c.s.proc, func() {
		if p.hub == hub {
			p.over(why)
		}
	})
	p.changed()
}

// crashed is the end of the server's process: who waits notices, and nobody knows the session.
func (p *polls) crashed() {
	p.hub, p.server, p.waiting = nil, nil, nil
	for _, r := range append([]*request(nil), p.under...) {
		if r.held {
			r.held = false
			p.breaks(r)
		}
	}
}
