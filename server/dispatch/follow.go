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
	sub := d.cfg.Bus.Subscribe(1024, "agents", "plugins", topicQueued, "cache:"+regionBroadcast, "broadcast", topicCancels)
	defer sub.Close()
	tick := time.NewTicker(orphanEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
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

// lookAround finds what other servers left behind: executions of servers that died.
func (d *Dispatcher) lookAround(ctx context.Context) {
	if err := d.findOrphans(ctx); err != nil && ctx.Err() == nil {
		d.cfg.Log.Warn("orphans not read", "err", err)
	}
}

// sweepCancels sends cancels that were asked for at other servers and of which no hint came.
func (d *Dispatcher) sweepCancels(ctx context.Context) {
	now := d.cfg.Now()
	var ids []string
	d.mu.Lock()
	if now.Sub(d.cancelsRead) >= recancel {
		d.cancelsRead = now
		for id, s := range d.sessions {
			if len(s.held) > 0 {
				ids = append(ids, id)
			}
		}
	}
	d.mu.Unlock()
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
	ids := make([]string, 0, len(d.sessions))
	for id := range d.sessions {
		ids = append(ids, id)
	}
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
