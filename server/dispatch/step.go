package dispatch

import (
	"fmt"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/store"
)

// step decides what an event does to an execution: a change to commit and what to do after it. It has no clock and
// no side effects, so it may be called again. [store.ErrNoChange] comes with the effects that are due all the same;
// an octopus.Error refuses.
func (r rules) step(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if e.wait > 0 {
		r.waitAny, r.waitAgent = e.wait, e.wait
	}
	switch e.kind {
	case evOffer:
		return r.offer(x, now, e)
	case evAccept:
		return r.accept(x, now, e)
	case evReject:
		return r.reject(x, now, e)
	case evStarted:
		return r.started(x, now, e)
	case evResult:
		return r.result(x, now, e)
	case evCancel:
		return r.cancel(x, now, e)
	case evDue:
		return r.due(x, now, e)
	case evLost:
		return r.lost(x, now, e)
	case evNeverStarted:
		return r.neverStarted(x, now, e)
	case evHello:
		return r.hello(x, now, e)
	case evForceClose:
		return r.forceClose(x, now, e)
	case evDetach:
		return r.detach(x, now, e)
	case evSilent, evHeard:
		return r.hear(x, e)
	case evWaiting:
		return r.waiting(x, now, e)
	case evRefuse:
		return r.refuse(x, now, e)
	case evRestored:
		return r.restored(x, now)
	}
	return keep()
}

// keep changes nothing.
func keep(effects ...effect) (store.Change, []effect, error) {
	return store.Change{}, effects, store.ErrNoChange
}

// change starts a change of x with one line for its timeline.
func change(x octopus.Execution, kind, format string, args ...any) store.Change {
	return store.Change{Next: x, Events: []octopus.Event{line(x, kind, format, args...)}}
}

func line(x octopus.Execution, kind, format string, args ...any) octopus.Event {
	return octopus.Event{
		ExecutionID: x.ID, Kind: kind, AgentID: x.AgentID, AgentName: x.AgentName,
		Message: fmt.Sprintf(format, args...), Attempt: x.Attempt,
	}
}

// next is the fence after fence. Since a backup was restored it is above everything that was given before, so that
// nothing of the time that the database forgot can be taken for something new.
func (r rules) next(fence int64) int64 { return max(fence, r.floor) + 1 }

// queueAgain puts x back into the queue under a new fence. Its wait goes on: an offer that came to nothing does not
// give it more time.
func (r rules) queueAgain(x octopus.Execution, now time.Time) octopus.Execution {
	x.Status, x.Fence = octopus.Queued, r.next(x.Fence)
	x.AgentID, x.AgentName = "", ""
	x.QueuedAt, x.OfferedAt, x.OfferExpiresAt = now, time.Time{}, time.Time{}
	x.Silent, x.Progress = false, nil
	x.Waiting = &octopus.Waiting{Code: "busy", Message: "Waiting for an agent.", Since: now}
	return x
}

// end makes x terminal and disarms its timers.
func end(x octopus.Execution, now time.Time, status octopus.Status, code, message string) octopus.Execution {
	x.Status, x.FinishedAt = status, now
	x.OfferExpiresAt, x.DeadlineAt, x.NotBefore, x.WaitUntil = time.Time{}, time.Time{}, time.Time{}, time.Time{}
	x.Silent, x.Waiting, x.Progress = false, nil, nil
	x.Reason = nil
	if code != "" {
		x.Reason = &octopus.Reason{Code: code, Message: message}
	}
	return x
}

func (r rules) offer(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if x.Status != octopus.Queued || now.Before(x.NotBefore) {
		return keep()
	}
	x = r.offered(x, now, e.agentID, e.agentName)
	return change(x, "offered", "Offered to %s.", x.AgentName), []effect{{kind: sendOffer, fence: x.Fence}}, nil
}

// offered is x once it is offered to an agent.
func (r rules) offered(x octopus.Execution, now time.Time, agentID, agentName string) octopus.Execution {
	x.Status, x.Fence = octopus.Offered, r.next(x.Fence)
	x.AgentID, x.AgentName = agentID, agentName
	x.OfferedAt, x.OfferExpiresAt, x.NotBefore = now, now.Add(r.offerTTL), time.Time{}
	x.Waiting = nil
	return x
}

// accept commits the go. A repeated accept gets the same answer again.
func (r rules) accept(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if !e.holds(x) || x.Status != octopus.Offered && x.Status != octopus.Running {
		return keep(effect{kind: sendWithdrawn, fence: e.fence})
	}
	if x.Status == octopus.Running {
		if x.Cancelling {
			return keep(effect{kind: sendCancel, fence: x.Fence, grace: r.cancelGrace})
		}
		return keep(effect{kind: sendGo, fence: x.Fence, attempt: x.Attempt})
	}
	c := r.run(x, now)
	return c, []effect{{kind: sendGo, fence: c.Next.Fence, attempt: c.Next.Attempt}}, nil
}

// run makes x running on the agent that holds its offer. While it runs, WaitUntil keeps the deadline over all
// attempts, and DeadlineAt is when the server ends this one without its agent.
func (r rules) run(x octopus.Execution, now time.Time) store.Change {
	x.Status, x.Attempt = octopus.Running, x.Attempt+1
	x.GoAt, x.StartedAt, x.Silent = now, time.Time{}, false
	x.Waiting, x.Usage, x.OfferExpiresAt = nil, octopus.Usage{}, time.Time{}
	x.WaitUntil = x.DeadlineAt
	x.DeadlineAt = r.overdue(x, now)
	c := change(x, "accepted", "%s took it: attempt %d.", x.AgentName, x.Attempt)
	c.Attempt = attempt(x, octopus.Running, nil, time.Time{})
	return c
}

// overdue is when the server ends a running attempt whose timeout counts from start. The agent ends it on time; the
// slack is what it may take to say so.
func (r rules) overdue(x octopus.Execution, start time.Time) time.Time {
	at := start.Add(x.Timeout)
	if !x.WaitUntil.IsZero() && x.WaitUntil.Before(at) {
		at = x.WaitUntil
	}
	return at.Add(r.slack)
}

// attempt is the row of x's present attempt.
func attempt(x octopus.Execution, status octopus.Status, reason *octopus.Reason, finished time.Time) *octopus.Attempt {
	return &octopus.Attempt{
		ExecutionID: x.ID, Number: x.Attempt, Fence: x.Fence, AgentID: x.AgentID, AgentName: x.AgentName,
		Status: status, Reason: reason, GoAt: x.GoAt, StartedAt: x.StartedAt, FinishedAt: finished,
	}
}

// reject puts x back, for good without this agent where it can never run it.
func (r rules) reject(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if x.Status != octopus.Offered || !e.holds(x) {
		return keep()
	}
	if e.reject == wire.RejectBusy || e.reject == wire.RejectNoSpace {
		c := change(x, "rejected", "%s %s.", x.AgentName, map[wire.RejectReason]string{
			wire.RejectBusy: "is busy", wire.RejectNoSpace: "has no room on its disk",
		}[e.reject])
		c.Next = r.queueAgain(x, now)
		return c, []effect{{kind: wakeClaimer}}, nil
	}
	c := change(x, "rejected", "%s refused it: %s", x.AgentName, sentence(e.message, "it gave no reason."))
	if x.BoundAgent != "" || e.left == 0 {
		message := fmt.Sprintf("%s refused it: %s", x.AgentName, sentence(e.message, "it gave no reason."))
		if x.BoundAgent == "" {
			message = "No agent is left that may run it. The last to refuse was " + message
		}
		x.Fence = r.next(x.Fence)
		x.Excluded = append(x.Excluded[:len(x.Excluded):len(x.Excluded)], x.AgentID)
		c.Next = end(x, now, octopus.Rejected, string(e.reject), message)
		return c, nil, nil
	}
	excluded := append(x.Excluded[:len(x.Excluded):len(x.Excluded)], x.AgentID)
	c.Next = r.queueAgain(x, now)
	c.Next.Excluded = excluded
	return c, []effect{{kind: wakeClaimer}}, nil
}

// sentence is text, or instead where there is none.
func sentence(text, instead string) string {
	if text == "" {
		return instead
	}
	return text
}

// started notes how long it took to get ready, and counts the timeout from the guest's start.
func (r rules) started(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	if x.Status != octopus.Running || !e.holds(x) || !x.StartedAt.IsZero() || e.prepared == nil || !e.prepared.Started {
		return keep()
	}
	p := e.prepared
	x.Usage.DownloadTime, x.Usage.CompileTime, x.Usage.ReadyTime = ms(p.DownloadMS), ms(p.CompileMS), ms(p.ReadyMS)
	x.StartedAt = earlier(x.GoAt.Add(x.Usage.ReadyTime), now)
	overdue := r.overdue(x, x.StartedAt)
	if x.Cancelling { // the cancel has set its own, which a report from before it must not take back
		overdue = earlier(x.DeadlineAt, overdue)
	}
	x.DeadlineAt = overdue
	c := store.Change{Next: x, Events: readyLines(x), Attempt: attempt(x, octopus.Running, nil, time.Time{})}
	return c, nil, nil
}

// readyLines tell what came before the guest.
func readyLines(x octopus.Execution) []octopus.Event {
	var lines []octopus.Event
	u := x.Usage
	if u.DownloadTime > 0 || u.CompileTime > 0 {
		l := line(x, "prepared", "%s got the plugin ready in %s (download %s, compilation %s).",
			x.AgentName, short(u.ReadyTime), short(u.DownloadTime), short(u.CompileTime))
		l.Duration, l.At = u.ReadyTime, x.StartedAt
		lines = append(lines, l)
	}
	l := line(x, "started", "Started on %s.", x.AgentName)
	l.At, l.Duration = x.StartedAt, u.ReadyTime
	return append(lines, l)
}

// hear notes that an agent is silent, or heard again.
func (r rules) hear(x octopus.Execution, e event) (store.Change, []effect, error) {
	silent := e.kind == evSilent
	if x.Status != octopus.Running || !e.holds(x) || x.Silent == silent {
		return keep()
	}
	x.Silent = silent
	if silent {
		return change(x, "silent", "%s is not heard any more.", x.AgentName), nil, nil
	}
	return change(x, "heard", "%s is heard again.", x.AgentName), nil, nil
}

// waiting keeps the reason of a wait current.
func (r rules) waiting(x octopus.Execution, now time.Time, e event) (store.Change, []effect, error) {
	w := x.Waiting
	if x.Status != octopus.Queued || w != nil && (w.Code == e.code && w.Message == e.message || w.Code == "retry" && now.Before(x.NotBefore)) {
		return keep()
	}
	since := now
	if w != nil && w.Code == e.code {
		since = w.Since
	}
	x.Waiting = &octopus.Waiting{Code: e.code, Message: e.message, Since: since}
	return store.Change{Next: x}, nil, nil
}

func ms(n int64) time.Duration { return time.Duration(max(n, 0)) * time.Millisecond }
func us(n int64) time.Duration { return time.Duration(max(n, 0)) * time.Microsecond }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// short writes a duration for people: "340 ms", "2.1 s", "3 min".
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d h", int(d.Hours()))
}
