package dispatch

import (
	"fmt"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/seeded"
	"octopus/internal/wire"
	"octopus/server/store"
)

// cancel ends x at once where nothing has started, else notes the intent and asks the agent.
func (r rules) cancel(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if x.Status.Terminal() {
		return store.Change{}, nil, octopus.Errorf(octopus.CodeConflict, "The execution has already ended: it %s.", verb(x.Status))
	}
	ask := effect{kind: sendCancel, fence: x.Fence, grace: r.cancelGrace}
	if x.Cancelling {
		return keep(ask)
	}
	x.CancelledAt, x.CancelledBy = now, e.by
	if x.Status == octopus.Running {
		x.Cancelling = true
		x.DeadlineAt = earlier(x.DeadlineAt, now.Add(r.cancelGrace+r.slack))
		if seeded.Is(seeded.CancelNotDurable) {
			return keep(ask)
		}
		return change(x, "cancel_requested", "%s asked for it to end.", e.by), []effect{ask}, nil
	}
	var effects []effect
	if x.Status == octopus.Offered {
		effects = []effect{{kind: sendWithdrawn, fence: x.Fence}}
	}
	c := change(x, "ended", "Cancelled by %s before it started.", e.by)
	x.Fence = r.next(x.Fence)
	c.Next = end(x, now, octopus.Cancelled, "cancelled", "Cancelled by "+e.by+" before it started.")
	return c, effects, nil
}

// due fires the timers that have passed.
func (r rules) due(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	past := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	switch {
	case x.Status.Terminal():
	case x.Status == octopus.Running:
		if past(x.DeadlineAt) {
			return r.overrun(x, now, e)
		}
	case past(x.DeadlineAt):
		return r.tooLate(x, now)
	case x.Status == octopus.Offered && past(x.OfferExpiresAt):
		c := change(x, "withdrawn", "%s did not accept it within %s.", x.AgentName, short(r.offerTTL))
		effects := []effect{{kind: sendWithdrawn, fence: x.Fence}, {kind: wakeClaimer}}
		c.Next = r.queueAgain(x, now)
		return c, effects, nil
	case x.Status == octopus.Queued && past(x.WaitUntil):
		return r.expire(x, now)
	case x.Status == octopus.Queued && past(x.NotBefore):
		x.NotBefore = time.Time{}
		x.Waiting = &octopus.Waiting{Code: "busy", Message: "Waiting for an agent.", Since: now}
		return store.Change{Next: x}, []effect{{kind: wakeClaimer}}, nil
	}
	return keep()
}

// overrun ends a running x whose agent did not: the timeout passed, or a cancel was not confirmed.
func (r rules) overrun(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	kill := effect{kind: sendCancel, fence: x.Fence}
	status, code, message := octopus.TimedOut, "timeout", fmt.Sprintf("%s did not end it in time, so the server did.", x.AgentName)
	switch {
	case x.Cancelling:
		status, code = octopus.Lost, "cancel_not_confirmed"
		message = fmt.Sprintf("The cancel was not confirmed by %s.", x.AgentName)
	case !e.connected:
		status, code = octopus.Lost, "agent_silent"
		message = fmt.Sprintf("%s was not heard when its time was over.", x.AgentName)
	}
	return r.close(x, now, status, code, message), []effect{kill}, nil
}

// close ends x without its agent, under a new fence.
func (r rules) close(x octopus.Execution, now time.Time, status octopus.Status, code, message string) store.Change {
	c := change(x, "ended", "%s", message)
	if x.Status == octopus.Running {
		c.Attempt = attempt(x, status, &octopus.Reason{Code: code, Message: message}, now)
	}
	x.Fence = r.next(x.Fence)
	c.Next = end(x, now, status, code, message)
	return c
}

// tooLate ends an x that waits or is offered when its deadline over all attempts has passed.
func (r rules) tooLate(x octopus.Execution, now time.Time) (store.Change, []effect, error) {
	var effects []effect
	if x.Status == octopus.Offered {
		effects = []effect{{kind: sendWithdrawn, fence: x.Fence}}
	}
	return r.close(x, now, octopus.TimedOut, "deadline", "Its deadline passed before it could run."), effects, nil
}

func (r rules) expire(x octopus.Execution, now time.Time) (store.Change, []effect, error) {
	message := fmt.Sprintf("No agent took it within %s.", short(x.WaitUntil.Sub(x.CreatedAt)))
	if x.Attempt > 0 {
		message = "No agent took it for another attempt in time."
	}
	if x.Waiting != nil && x.Waiting.Message != "" && x.Waiting.Code != "retry" {
		message += " " + x.Waiting.Message
	}
	return r.close(x, now, octopus.Expired, "no_agent_in_time", message), nil, nil
}

// lost ends an attempt whose agent cannot be asked any more.
func (r rules) lost(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if !e.holds(x) {
		return keep()
	}
	switch x.Status {
	case octopus.Offered:
		return r.detach(x, now, e)
	case octopus.Running:
		c, effects := r.lose(x, now, e.code, e.message)
		return c, effects, nil
	}
	return keep()
}

// lose ends a running attempt as lost, and x with it unless it may be tried elsewhere.
func (r rules) lose(x octopus.Execution, now time.Time, code, message string) (store.Change, []effect) {
	if x.Cancelling {
		code, message = "cancel_not_confirmed", fmt.Sprintf("The cancel was not confirmed: %s", message)
	}
	at := now.Add(r.pause(x))
	if x.OnLost != octopus.OnLostRetry || !x.Idempotent || x.Cancelling || !r.mayTry(x, at) {
		return r.close(x, now, octopus.Lost, code, message), nil
	}
	c := change(x, "lost", "%s Trying again in %s.", message, short(at.Sub(now)))
	c.Attempt = attempt(x, octopus.Lost, &octopus.Reason{Code: code, Message: message}, now)
	fence := r.next(x.Fence)
	c.Next = r.back(x, now, at, message+" Trying again in "+short(at.Sub(now))+".")
	c.Next.Fence = fence
	return c, []effect{{kind: wakeClaimer}}
}

// lossSentence says why an agent itself gave an execution up.
func lossSentence(code, agent string) string {
	switch code {
	case "", "agent_restarted":
		return agent + " restarted while it ran."
	case "lease_lost":
		return agent + " was cut off for so long that it stopped it."
	case "agent_stopped":
		return agent + " was stopped while it ran."
	}
	return agent + " could not finish it."
}

// neverStarted puts back what the agent's intact journal does not know: it cannot have run.
func (r rules) neverStarted(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if !e.holds(x) {
		return keep()
	}
	switch x.Status {
	case octopus.Offered:
		return r.detach(x, now, e)
	case octopus.Running:
	default:
		return keep()
	}
	if x.Fence < r.floor && !r.requeue {
		return r.forgotten(x, now)
	}
	message := x.AgentName + " never started it."
	if x.Cancelling {
		return r.close(x, now, octopus.Cancelled, "cancelled", "Cancelled by "+x.CancelledBy+" before it started."), nil, nil
	}
	c := change(x, "withdrawn", "%s", message)
	c.Attempt = attempt(x, octopus.Lost, &octopus.Reason{Code: "never_started", Message: x.AgentName + " never started it."}, now)
	fence := r.next(x.Fence)
	c.Next = r.back(x, now, time.Time{}, "Waiting for an agent.")
	c.Next.Fence, c.Next.Waiting.Code = fence, "busy"
	return c, []effect{{kind: wakeClaimer}}, nil
}

// detach withdraws an offer from an agent whose session ended.
func (r rules) detach(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if x.Status != octopus.Offered || !e.holds(x) {
		return keep()
	}
	c := change(x, "withdrawn", "%s disconnected before it accepted.", x.AgentName)
	c.Next = r.queueAgain(x, now)
	return c, []effect{{kind: wakeClaimer}}, nil
}

// forceClose ends x at once, whatever its agent does.
func (r rules) forceClose(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if x.Status.Terminal() {
		return store.Change{}, nil, octopus.Errorf(octopus.CodeConflict, "The execution has already ended: it %s.", verb(x.Status))
	}
	var effects []effect
	if x.Status != octopus.Queued {
		effects = []effect{{kind: sendCancel, fence: x.Fence}}
	}
	x.CancelledAt, x.CancelledBy = now, e.by
	return r.close(x, now, octopus.Cancelled, "force_closed", "Force-closed by "+e.by+"."), effects, nil
}

// refuse ends what waits because the server will not run it any more.
func (r rules) refuse(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if x.Status != octopus.Queued && x.Status != octopus.Offered {
		return keep()
	}
	var effects []effect
	if x.Status == octopus.Offered {
		effects = []effect{{kind: sendWithdrawn, fence: x.Fence}}
	}
	return r.close(x, now, octopus.Rejected, e.code, e.message), effects, nil
}

// hello answers one item of an agent's hello.
func (r rules) hello(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	answer := func(a wire.Answer, attempt int) effect {
		return effect{kind: sendAnswer, fence: e.fence, answer: a, attempt: attempt}
	}
	mine := e.holds(x)
	switch {
	case e.phase == wire.PhaseDone:
		return keep(answer(wire.AnswerSendResult, 0)) // also when it was recorded: the ack lets the agent forget
	case !mine || x.Status != octopus.Offered && x.Status != octopus.Running:
		if e.phase == wire.PhaseStarted {
			return keep(answer(wire.AnswerCancel, 0)) // it runs for nobody
		}
		return keep(answer(wire.AnswerDiscard, 0))
	case x.Status == octopus.Offered && e.phase == wire.PhaseAccepted:
		c := r.run(x, now)
		return c, []effect{answer(wire.AnswerGo, c.Next.Attempt)}, nil
	case x.Status == octopus.Offered: // started without a go: it cannot be trusted
		return keep(answer(wire.AnswerCancel, 0))
	case x.Cancelling:
		return r.heardAgain(x, answer(wire.AnswerCancel, 0))
	case e.phase == wire.PhaseAccepted:
		return r.heardAgain(x, answer(wire.AnswerGo, x.Attempt))
	}
	return r.heardAgain(x, answer(wire.AnswerKeep, 0))
}

// heardAgain clears the silent flag of an x whose agent is back.
func (r rules) heardAgain(x octopus.Execution, answer effect) (store.Change, []effect, error) {
	if !x.Silent {
		return keep(answer)
	}
	x.Silent = false
	return change(x, "heard", "%s is heard again.", x.AgentName), []effect{answer}, nil
}
