package dispatch

import (
	"context"
	"maps"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/bus"
)

// orphanEvery is how often executions are looked for whose server is gone, where there may be others.
const orphanEvery = 30 * time.Second

// followLoop reacts to what others change: agents, plugins, broadcast entries, work that waits.
func (d *Dispatcher) followLoop(ctx context.Context) {
	if d.cfg.Bus == nil {
		<-ctx.Done()
		return
	}
	sub := d.cfg.Bus.Subscribe(1024, "agents", "plugins", topicQueued, "cache:"+regionBroadcast, "broadcast", topicCancels, topicWritable)
	defer sub.Close()
	tasks := d.cfg.Bus.Subscribe(1, "tasks") // one says enough: they are looked at now and then
	defer tasks.Close()
	tick, look := time.NewTicker(orphanEvery), time.NewTicker(prefetchEvery)
	defer tick.Stop()
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			select {
			case <-tasks.C():
				d.tasksChanged(ctx)
			default:
			}
		case h := <-sub.C():
			if sub.Missed() {
				d.missed(ctx)
			}
			d.follow(ctx, h)
		case <-tick.C:
			if d.shared {
				d.lookAround(ctx)
			}
		}
	}
}

// askWaiting asks the agents that said what could not be written to say it again: now it can.
func (d *Dispatcher) askWaiting() {
	var waiting []*Session
	d.mu.Lock()
	for _, s := range d.sessions {
		if s.rehello {
			s.rehello = false
			waiting = append(waiting, s)
		}
	}
	d.mu.Unlock()
	for _, s := range waiting {
		s.send(&wire.HeartbeatAck{Rehello: true}) // of no heartbeat: it acknowledges none
	}
}

// lookAround finds what other servers left behind and what no hint told: executions of servers that died, and what
// people decided about agents at other servers.
func (d *Dispatcher) lookAround(ctx context.Context) {
	if err := d.findOrphans(ctx); err != nil && ctx.Err() == nil {
		d.cfg.Log.Warn("orphans not read", "err", err)
	}
	if err := d.readDecisions(ctx); err != nil && ctx.Err() == nil {
		d.cfg.Log.Warn("agents not read", "err", err)
	}
}

// readDecisions reads all agents, a page at a time, and looks closer at those here that were changed elsewhere.
func (d *Dispatcher) readDecisions(ctx context.Context) error {
	fleet, err := readAll(ctx, d.store)
	if err != nil {
		return err
	}
	for _, s := range d.connected() {
		a, ok := fleet[s.agentID]
		d.mu.Lock()
		same := ok && a.name == s.name && a.enabled == s.enabled && a.drained == s.drained && a.epoch == s.epoch && maps.Equal(a.labels, s.labels)
		gone := ok && !a.connected && a.epoch == s.epoch
		d.mu.Unlock()
		switch {
		case gone: // another server took this one for dead and closed its sessions: they are to be opened again
			s.link.Close(wire.CloseDrain, "The session was closed in the database. Come back.", 500*time.Millisecond, 2*time.Second)
		case !same:
			d.agentChanged(ctx, s.agentID)
		}
	}
	return nil
}

// sweepCancels sends cancels that were asked for at other servers and of which no hint came.
func (d *Dispatcher) sweepCancels(ctx context.Context) {
	now := d.cfg.Now()
	var ids []string
	d.mu.Lock()
	if now.Sub(d.cancelsRead) >= lookEvery {
		d.cancelsRead = now
		for id, s := range d.sessions {
			if len(s.held) > 0 {
				ids = append(ids, id)
			}
		}
	}
	d.mu.Unlock()
	slices.Sort(ids)
	for part := range slices.Chunk(ids, 500) {
		d.undelivered(ctx, part)
	}
}

// undelivered sends cancels that were asked for at another server.
func (d *Dispatcher) undelivered(ctx context.Context, agentIDs []string) {
	list, err := d.store.UndeliveredCancels(ctx, agentIDs)
	if err != nil {
		return // looked at again later
	}
	for _, x := range list {
		d.do(stepped{x: x, before: x}, effect{kind: sendCancel, fence: x.Fence, grace: d.rules.cancelGrace})
	}
}

// missed reads again whatever a lost hint may have been about.
func (d *Dispatcher) missed(ctx context.Context) {
	d.roster.changed("")
	d.offers.clear()
	d.backlogUnknown()
	d.mu.Lock()
	ids := slices.Sorted(maps.Keys(d.sessions))
	d.mu.Unlock()
	for _, id := range ids {
		d.agentChanged(ctx, id)
	}
}

func (d *Dispatcher) follow(ctx context.Context, h bus.Hint) {
	switch h.Topic {
	case "agents":
		d.roster.changed(h.ID)
		d.agentChanged(ctx, h.ID)
	case "plugins":
		d.offers.clear()
		d.prefetchAll(ctx)
	case topicQueued:
		d.mu.Lock()
		d.backlog.add(h.ID)
		d.mu.Unlock()
		d.wakeClaim()
	case topicCancels:
		if _, here := d.Presence(h.ID); here {
			d.undelivered(ctx, []string{h.ID})
		}
	case topicWritable:
		d.askWaiting()
	default:
		d.broadcastAll(ctx)
	}
}

// agentChanged takes over what people decided about a connected agent.
func (d *Dispatcher) agentChanged(ctx context.Context, id string) {
	d.mu.Lock()
	s := d.sessions[id]
	d.mu.Unlock()
	if s == nil {
		return
	}
	a, err := d.store.Agent(ctx, id)
	switch {
	case octopus.CodeOf(err) == octopus.CodeNotFound:
		s.end(wire.CloseAuth, "This agent was removed from the server.")
		return
	case err != nil:
		return // the next hint, or the next connection, brings it
	case a.Revoked:
		s.end(wire.CloseAuth, "This agent's key was revoked.")
		return
	case a.SessionEpoch > s.epoch:
		s.end(wire.CloseSuperseded, "A newer connection of this agent took over.")
		return
	}
	d.mu.Lock()
	changed := s.name != a.Name || s.drained != a.Drained
	d.learn(s, a)
	d.backlog.revive()
	work := d.backlog.any()
	d.mu.Unlock()
	if changed {
		s.send(&wire.Settings{Name: a.Name, Drained: a.Drained})
	}
	if work {
		d.wakeClaim()
	}
}

// learn takes over what the server decides about an agent, and moves it between pools where its labels changed.
// d.mu is held.
func (d *Dispatcher) learn(s *Session, a octopus.Agent) {
	before, name := s.labels, s.name
	s.know(a)
	if s.closed || maps.Equal(before, s.labels) && name == s.name {
		return
	}
	if d.names[name] == s {
		delete(d.names, name)
	}
	d.names[s.name] = s
	d.leave(s)
	d.join(s)
}

// end closes the connection and the session.
func (s *Session) end(code int, why string) {
	s.link.Close(code, why, 0, 0)
	s.Detach(why)
}
