package dispatch

import (
	"context"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/bus"
	"octopus/server/store"
)

// topicQueued hints at work that waits: ID is its pool, or the agent that it is bound to.
const topicQueued = "queued"

// topicCancels hints at a cancel for an agent that is connected to another server: ID is the agent.
const topicCancels = "cancels"

// topicWritable hints that the database can be written again, after its disk was full.
const topicWritable = "writable"

// stepped is what a step did.
type stepped struct {
	event   event
	before  octopus.Execution
	x       octopus.Execution
	at      time.Time // of the commit
	changed bool
	cached  bool // shared cache entries were written
	effects []effect
	err     error
}

// step commits what an event does to an execution. Only a lane of the execution may call it.
func (d *Dispatcher) step(ctx context.Context, id string, e event) stepped {
	s := stepped{event: e}
	if e.mayRequeue() {
		if e.wait, s.err = d.waitOf(ctx, id, e); s.err != nil {
			return s
		}
		s.event = e
	}
	s.x, s.err = d.store.Step(ctx, id, func(x octopus.Execution, now time.Time) (store.Change, error) {
		c, effects, err := d.rules.step(x, now, e)
		s.at, s.before, s.effects, s.changed, s.cached = now, x, effects, err == nil, len(c.Cache) > 0
		return c, err
	})
	if s.err != nil && s.changed { // it may be committed all the same, and then something may wait that nobody told
		d.backlogUnknown()
	}
	return s
}

// mayRequeue reports whether the event may be followed by another attempt.
func (e event) mayRequeue() bool {
	switch e.kind {
	case evLost, evNeverStarted:
		return true
	case evResult:
		return e.result.Outcome == octopus.Lost || e.result.MayRetry
	}
	return false
}

// waitOf is how long the execution's run says that it may wait for an agent, 0 where it says nothing. It is read only
// where another attempt may follow: the execution itself does not carry it. Where it cannot be read the step has to wait:
// without it the execution might wait for a day.
func (d *Dispatcher) waitOf(ctx context.Context, id string, e event) (time.Duration, error) {
	x, err := d.store.Execution(ctx, id)
	if err != nil || x.Status != octopus.Running || e.kind == evResult && x.Attempt >= x.MaxAttempts && !e.result.neverStarted() {
		return 0, err
	}
	run, err := d.store.Run(ctx, x.RunID)
	return run.WaitTTL, err
}

// agent is whom the effects of a step are for: who spoke, else who had the execution.
func (s stepped) agent() string {
	if s.event.agentID != "" {
		return s.event.agentID
	}
	return s.before.AgentID
}

// tell does what a committed step asks for: messages to the agent, hints, and waking who waits.
func (d *Dispatcher) tell(s stepped) {
	if s.err != nil {
		if octopus.CodeOf(s.err) == octopus.CodeInternal {
			d.cfg.Log.Error("step failed", "event", s.event.kind, "execution", s.x.ID, "err", s.err)
		}
		return
	}
	if s.changed && s.event.kind == evDue && s.before.Status == octopus.Offered {
		d.pause(s.before.AgentID)
	}
	for _, e := range s.effects {
		d.do(s, e)
	}
	if !s.changed {
		return
	}
	if s.cached {
		d.publish(bus.Hint{Topic: "cache:" + regionPluginData})
	}
	switch {
	case s.x.Status.Terminal():
		d.waiters.ended(s.x, s.at)
		d.onTrial(s.x)
	case s.x.Status == octopus.Running:
		d.waiters.started(s.x.RunID, s.at)
	}
}

// pause offers nothing for a while to an agent that did not answer an offer, so that the work goes elsewhere.
func (d *Dispatcher) pause(agentID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.sessions[agentID]; s != nil {
		s.paused = d.cfg.Now().Add(d.rules.offerTTL)
	}
}

func (d *Dispatcher) publish(hints ...bus.Hint) {
	if d.cfg.Bus != nil {
		d.cfg.Bus.Publish(hints...)
	}
}

// do sends one message. What cannot be sent is repaired when the agent comes back.
func (d *Dispatcher) do(s stepped, e effect) {
	if e.kind == wakeClaimer {
		d.queued(s.x)
		return
	}
	d.mu.Lock()
	session := d.sessions[s.agent()]
	if session == nil || session.closed {
		d.mu.Unlock()
		if e.kind == sendCancel && d.shared {
			d.publish(bus.Hint{Topic: topicCancels, ID: s.agent()})
		}
		return
	}
	m := session.note(s.x, e, d.cfg.Now())
	d.mu.Unlock()
	if m != nil {
		session.send(m)
	}
}

// note keeps the registry in step with a message about to be sent, and returns it. d.mu is held.
func (s *Session) note(x octopus.Execution, e effect, now time.Time) wire.Message {
	switch e.kind {
	case sendGo:
		h := s.holds(x.ID, e.fence)
		if h == nil {
			h = holdingOf(x)
			s.held[x.ID] = h
			s.quiet = false
		}
		h.taken, h.running, h.attempt, h.goAt = true, true, e.attempt, now
		return &wire.Go{Execution: x.ID, Attempt: e.attempt, Fence: e.fence}
	case sendWithdrawn:
		s.drop(x.ID, e.fence)
		return &wire.Withdrawn{Execution: x.ID, Fence: e.fence}
	case sendCancel:
		if h := s.holds(x.ID, e.fence); h != nil {
			h.cancelled, h.grace = now, e.grace
		}
		return &wire.Cancel{Execution: x.ID, Fence: e.fence, Reason: cancelReason(x), GraceMS: e.grace.Milliseconds()}
	case sendAck:
		s.drop(x.ID, e.fence)
		return &wire.ResultAck{Execution: x.ID, Fence: e.fence, Verdict: e.verdict, Reason: e.reason}
	}
	return nil
}

func cancelReason(x octopus.Execution) string {
	if x.Reason != nil {
		return x.Reason.Message
	}
	if x.CancelledBy != "" {
		return "Cancelled by " + x.CancelledBy + "."
	}
	return "Cancelled."
}
