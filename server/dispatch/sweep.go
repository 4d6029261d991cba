package dispatch

import (
	"context"
	"slices"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/seeded"
	"octopus/internal/wire"
	"octopus/server/store"
)

// dueLimit is how many timers are fired in one sweep; the next follows at once while there are more.
const dueLimit = 500

// startedAfter is how long a guest runs before its start is written: what ends sooner is written with its result.
const startedAfter = time.Second

// recancel is how often an unconfirmed cancel is sent again.
const recancel = 5 * time.Second

// sweepLoop fires what is due each second.
func (d *Dispatcher) sweepLoop(ctx context.Context) {
	tick := time.NewTicker(d.cfg.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			d.sweep(ctx)
		}
	}
}

// sweep does once what the sweeper does each second.
func (d *Dispatcher) sweep(ctx context.Context) {
	d.sweepDue(ctx)
	d.sweepSessions()
	d.sweepHoldings()
	d.sweepAbsent(ctx)
	d.sweepBacklog(ctx)
	d.sweepTrials(ctx)
	if d.shared {
		d.sweepCancels(ctx)
	}
}

// sweepDue fires the timers that are columns.
func (d *Dispatcher) sweepDue(ctx context.Context) {
	ids, err := d.store.Due(ctx, d.store.Now(), dueLimit)
	if err != nil {
		if ctx.Err() == nil {
			d.cfg.Log.Error("timers not read", "err", err)
		}
		return
	}
	for _, id := range ids {
		d.background(id, func(ctx context.Context) { d.tell(d.fire(ctx, id)) })
	}
}

// fire steps an execution whose timer may have passed.
func (d *Dispatcher) fire(ctx context.Context, id string) stepped {
	x, err := d.store.Execution(ctx, id)
	if err != nil {
		return stepped{err: err}
	}
	_, connected := d.Presence(x.AgentID)
	if !connected && d.shared && x.AgentID != "" {
		a, err := d.store.Agent(ctx, x.AgentID)
		connected = err == nil && a.Connected
	}
	e := event{kind: evDue, connected: connected}
	if seeded.Is(seeded.RescueWithoutCAS) { // goes by what was read, whatever it is by now
		before := x
		x, err = d.store.Step(ctx, id, func(_ octopus.Execution, now time.Time) (store.Change, error) {
			c, _, err := d.rules.step(before, now, e)
			return c, err
		})
		return stepped{event: e, before: before, x: x, err: err}
	}
	return d.step(ctx, id, e)
}

// sweepSessions ends the sessions of agents that are not heard any more.
func (d *Dispatcher) sweepSessions() {
	now := d.cfg.Now()
	var silent []*Session
	d.mu.Lock()
	limit := offlineAfter(d.interval())
	for _, s := range d.sessions {
		if now.Sub(s.lastHeartbeat) > limit {
			silent = append(silent, s)
		}
	}
	d.mu.Unlock()
	slices.SortFunc(silent, func(a, b *Session) int { return strings.Compare(a.agentID, b.agentID) })
	for _, s := range silent {
		s.link.Close(wire.CloseTooSlow, "No heartbeat came for "+short(limit)+".", 0, 0)
		s.Detach("no heartbeat for " + short(limit))
	}
}

// sweepHoldings writes what agents said in passing, and repeats cancels that were not confirmed.
func (d *Dispatcher) sweepHoldings() {
	now := d.cfg.Now()
	type job struct {
		s        *Session
		id       string
		fence    int64
		prepared *wire.Prepared
		progress *octopus.Progress
		cancel   bool
		grace    time.Duration
	}
	var jobs []job
	d.mu.Lock()
	for _, s := range d.sessions {
		for id, h := range s.held {
			j := job{s: s, id: id, fence: h.fence, progress: h.progress, grace: h.grace}
			if h.prepared != nil && h.prepared.Started && now.Sub(h.goAt) >= startedAfter {
				j.prepared, h.prepared = h.prepared, nil
			}
			if !h.cancelled.IsZero() && !h.cancelSeen && now.Sub(h.cancelled) >= recancel {
				j.cancel, h.cancelled = true, now
			}
			h.progress = nil
			if j.prepared != nil || j.progress != nil || j.cancel {
				jobs = append(jobs, j)
			}
		}
	}
	d.mu.Unlock()
	slices.SortFunc(jobs, func(a, b job) int { return strings.Compare(a.id, b.id) })
	for _, j := range jobs {
		if j.cancel {
			j.s.send(&wire.Cancel{Execution: j.id, Fence: j.fence, Reason: "Cancelled.", GraceMS: j.grace.Milliseconds()})
		}
		if j.prepared == nil && j.progress == nil {
			continue
		}
		d.background(j.id, func(ctx context.Context) {
			if j.prepared != nil {
				e := event{kind: evStarted, agentID: j.s.agentID, fence: j.fence, prepared: j.prepared}
				d.tell(d.step(ctx, j.id, e))
			}
			if j.progress != nil {
				d.saveProgress(ctx, j.id, j.fence, *j.progress)
			}
		})
	}
}

func (d *Dispatcher) saveProgress(ctx context.Context, id string, fence int64, p octopus.Progress) {
	if err := d.store.SaveProgress(ctx, id, fence, p); err != nil && ctx.Err() == nil {
		d.cfg.Log.Warn("progress not stored", "execution", id, "err", err)
	}
}

// sweepAbsent marks executions of silent agents, and ends them when the silence has been too long. An agent's own
// lease ends earlier: it counts the same times from when it sent what was heard last, less a margin.
func (d *Dispatcher) sweepAbsent(ctx context.Context) {
	now := d.cfg.Now()
	type verdict struct {
		agent, name, id string
		fence           int64
		lost            bool
		silence         time.Duration
	}
	var due []verdict
	for _, agent := range d.silentAgents(now) {
		if d.elsewhere(ctx, agent) {
			continue
		}
		d.mu.Lock()
		a := d.absent[agent]
		if a == nil {
			d.mu.Unlock()
			continue
		}
		silence := d.silence(a, now)
		for id, h := range a.held {
			v := verdict{agent: agent, name: a.name, id: id, fence: h.fence, silence: silence, lost: silence >= a.offline+h.lostAfter}
			if v.lost {
				delete(a.held, id)
			} else if h.silent || silence < a.offline {
				continue
			}
			h.silent = true
			due = append(due, v)
		}
		if len(a.held) == 0 {
			delete(d.absent, agent)
		}
		d.mu.Unlock()
	}
	slices.SortFunc(due, func(a, b verdict) int { return strings.Compare(a.id, b.id) })
	for _, v := range due {
		e := event{kind: evSilent, agentID: v.agent, agentName: v.name, fence: v.fence}
		if v.lost {
			e.kind, e.code = evLost, "agent_silent"
			e.message = v.name + " was not heard for " + short(v.silence) + "."
		}
		d.background(v.id, func(ctx context.Context) { d.tell(d.step(ctx, v.id, e)) })
	}
}

// silence is how long an absent agent was not heard, this server's own start at the earliest. d.mu is held.
func (d *Dispatcher) silence(a *absence, now time.Time) time.Duration {
	if a.lastHeard.Before(d.started) {
		return now.Sub(d.started)
	}
	return now.Sub(a.lastHeard)
}

// silentAgents lists the absent agents about which there may be something to say, in the order of their ids.
func (d *Dispatcher) silentAgents(now time.Time) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []string
	for agent, a := range d.absent {
		silence := d.silence(a, now)
		for _, h := range a.held {
			if silence >= a.offline && !h.silent || silence >= a.offline+h.lostAfter {
				list = append(list, agent)
				break
			}
		}
	}
	slices.Sort(list)
	return list
}

// elsewhere reports whether another server may judge the agent better: it is connected there, or was since this
// server last knew, or that cannot be read.
func (d *Dispatcher) elsewhere(ctx context.Context, agentID string) bool {
	if _, here := d.Presence(agentID); here {
		return true
	}
	if !d.shared {
		return false
	}
	a, err := d.store.Agent(ctx, agentID)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return false // it was removed: nobody will hear it again
	}
	if err != nil {
		return true
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	absent := d.absent[agentID]
	switch {
	case absent == nil:
		return true
	case a.Connected:
		delete(d.absent, agentID)
		return true
	case a.SessionEpoch != absent.epoch: // heard by somebody, at the latest just now
		absent.epoch, absent.lastHeard = a.SessionEpoch, d.cfg.Now()
		return true
	}
	return false
}

// explainEvery is how often the reasons of waits are brought up to date.
const explainEvery = 2 * time.Second

// lookEvery is how often a server looks for work that others queued, without having heard of any. It is less than
// the time between two sweeps, so that each looks.
const lookEvery = 900 * time.Millisecond

// blind reports whether it is time to look for what others queued: hints may be lost, or there is no bus between
// the servers. d.mu is held.
func (d *Dispatcher) blind(now time.Time) bool {
	return d.shared && now.Sub(d.backlog.read) >= lookEvery
}

// sweepBacklog reads what is queued while something is, and keeps the reasons of waits current.
func (d *Dispatcher) sweepBacklog(ctx context.Context) {
	now := d.cfg.Now()
	d.mu.Lock()
	idle := len(d.backlog.queued) == 0 && !d.backlog.unknown && !d.blind(now)
	explain := now.Sub(d.backlog.explained) >= explainEvery
	if !idle && explain {
		d.backlog.explained = now
	}
	d.mu.Unlock()
	if idle {
		return
	}
	pools, agents, err := d.store.QueuedPools(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.cfg.Log.Error("queue not read", "err", err)
		}
		return
	}
	d.mu.Lock()
	d.backlog.replace(pools, agents)
	d.backlog.read = now
	work := d.backlog.any()
	d.mu.Unlock()
	if work {
		d.wakeClaim()
	}
	if work && explain {
		d.explainWaits(ctx)
	}
}
