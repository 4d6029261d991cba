package core

import (
	"errors"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/seeded"
	"octopus/internal/wire"
)

// ErrRestart is what Exit carries after the server asked for a restart.
var ErrRestart = errors.New("restart")

// Why a guest may not start, as Permit says it.
var (
	errNoLease  = errors.New("the server was not heard for too long")
	errKilled   = errors.New("the execution was ended before its guest started")
	errUnknown  = errors.New("the execution is not known any more")
	errNotGoing = errors.New("the execution was started before")
)

// retries says whether another agent may run the execution once this one is silent.
func (it *item) retries() bool { return it.offer.OnLost == octopus.OnLostRetry }

func (c *Core) onOffer(o *wire.Offer) {
	c.lastOffer = max(c.lastOffer, o.OfferSeq)
	key := Key{o.Execution, o.Fence}
	if it := c.items[key]; it != nil {
		if it.phase == accepted { // the answer is the same each time
			c.accept(it)
		} else if it.phase != done && seeded.Is(seeded.DuplicateOfferStarts) {
			c.do(Start{it.offer, it.attempt})
			it.phase = going
		}
		return
	}
	if c.ended.has(key) && !seeded.Is(seeded.DuplicateOfferStarts) {
		return // it came again: each offer has a fence of its own
	}
	if !c.supersede(key) {
		c.reject(key, wire.RejectBusy, "An earlier try of this execution is still ending here.")
		return
	}
	if reason, message := c.refusal(o); reason != "" {
		c.reject(key, reason, message)
		return
	}
	c.add(&item{key: key, offer: o, attempt: o.Attempt, nextAccept: c.now + acceptEvery})
	c.do(Note{o})
	if seeded.Is(seeded.SkipGo) {
		c.onGo(key, o.Attempt)
	}
}

// supersede drops older tries of the same execution. It is false while one of them still runs.
func (c *Core) supersede(key Key) bool {
	free := true
	for _, old := range slices.Clone(c.order) {
		if old.key.Execution != key.Execution || old.key.Fence >= key.Fence {
			continue
		}
		switch old.phase {
		case accepted:
			c.forget(old, Drop{old.key})
		case going, started:
			c.kill(old, reasonDiscarded)
			free = false
		}
	}
	return free
}

// refusal is why an offer is not taken, "" when it is.
func (c *Core) refusal(o *wire.Offer) (wire.RejectReason, string) {
	switch {
	case c.stopping:
		return wire.RejectBusy, "This agent is stopping."
	case c.pending() >= c.config.MaxPending:
		return wire.RejectNoSpace, "Too many results wait to be sent."
	case c.Held() >= c.config.Slots:
		return wire.RejectBusy, "All slots are taken."
	case c.config.Admit != nil:
		return c.config.Admit(o)
	}
	return "", ""
}

func (c *Core) reject(key Key, reason wire.RejectReason, message string) {
	c.send(&wire.Reject{
		Execution: key.Execution, Fence: key.Fence, Reason: reason, Message: message,
		Free: c.Free(), LastOffer: c.lastOffer,
	})
}

func (c *Core) accept(it *item) {
	it.nextAccept = c.now + acceptEvery
	c.send(&wire.Accept{Execution: it.key.Execution, Fence: it.key.Fence})
}

// onNoteFailed takes back an accept that was not sent.
func (c *Core) onNoteFailed(key Key) {
	if it := c.items[key]; it != nil && it.phase == accepted {
		c.forget(it, Drop{key})
		c.reject(key, wire.RejectNoSpace, "The agent's disk or journal is full.")
	}
}

func (c *Core) onGo(key Key, attempt int) {
	it := c.items[key]
	if it == nil || it.phase != accepted || !c.mayStart(it.offer) {
		return // unknown: the hello repairs it; without a lease the server will think us lost
	}
	it.phase = going
	if attempt > 0 {
		it.attempt = attempt
	}
	c.do(Start{it.offer, it.attempt})
}

// onAnswers takes one page of the answers to a hello. After the last one no result is held back: a result that the
// server did not ask for is answered like any other.
func (c *Core) onAnswers(m *wire.HelloAnswer) {
	for _, a := range m.Items {
		c.onAnswer(a)
	}
	if !m.End {
		return
	}
	for _, it := range c.order {
		if it.phase == done && !it.wanted {
			it.wanted, it.nextSend = true, c.now
		}
	}
}

func (c *Core) onAnswer(a wire.AnsweredItem) {
	it := c.items[Key{a.Execution, a.Fence}]
	if it == nil {
		return
	}
	switch a.Answer {
	case wire.AnswerGo:
		c.onGo(it.key, a.Attempt)
	case wire.AnswerCancel:
		c.cancel(it, defaultGrace)
	case wire.AnswerDiscard:
		c.discard(it.key, "the server does not want it")
		return
	case wire.AnswerKeep:
		it.nextAccept = c.now
	}
	if it.phase == done {
		it.wanted, it.nextSend = true, c.now
	}
}

// discard ends an execution that the server wants nothing more of.
func (c *Core) discard(key Key, why string) {
	it := c.items[key]
	if it == nil {
		return
	}
	switch it.phase {
	case accepted:
		c.forget(it, Drop{key})
	case going, started:
		c.kill(it, reasonDiscarded)
	case done:
		c.forget(it, File{key, *it.result, why})
	}
}

func (c *Core) onCancel(m *wire.Cancel) {
	key := Key{m.Execution, m.Fence}
	c.send(&wire.CancelAck{Execution: m.Execution, Fence: m.Fence})
	if it := c.items[key]; it != nil {
		c.cancel(it, time.Duration(m.GraceMS)*time.Millisecond)
	}
}

// cancel raises the flag now and kills after the grace; before the go it simply never starts.
func (c *Core) cancel(it *item, grace time.Duration) {
	switch it.phase {
	case accepted:
		c.forget(it, Drop{it.key})
	case going, started:
		if !it.cancelled {
			it.cancelled = true
			c.do(Flag{it.key})
		}
		if grace <= 0 || it.phase == going {
			c.kill(it, reasonCancelled)
			return
		}
		if at := c.now + grace; it.killAt == 0 || at < it.killAt {
			it.killAt = at
		}
	}
}

func (c *Core) kill(it *item, reason string) {
	if it.killed != "" {
		return
	}
	it.killed = reason
	c.do(Kill{it.key, reason})
}

// onReady is the last gate before a guest starts.
func (c *Core) onReady(ev Ready) {
	it := c.items[ev.Key]
	var err error
	switch {
	case it == nil:
		err = errUnknown
	case it.phase != going:
		err = errNotGoing
	case it.killed != "" || it.cancelled:
		err = errKilled
	case !c.mayStart(it.offer):
		err = errNoLease
		c.kill(it, ReasonLeaseLost)
	default:
		it.phase = started
	}
	c.do(Permit{ev.Key, err})
	if err == nil {
		p := ev.Prepared
		p.Execution, p.Fence, p.Started = ev.Key.Execution, ev.Key.Fence, true
		c.send(&p)
	}
}

// forget drops an item, with the effect that clears it from the disk.
func (c *Core) forget(it *item, e Effect) {
	delete(c.items, it.key)
	c.ended.add(it.key)
	c.order = slices.DeleteFunc(c.order, func(x *item) bool { return x == it })
	c.do(e)
}
