package dispatch

import (
	"context"
	"maps"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Attach registers an agent's session, superseding an older one of the same agent, welcomes the agent and starts
// to reconcile. The hub calls it once per connection, from the goroutine that decodes its frames.
func (d *Dispatcher) Attach(ctx context.Context, r AttachRequest) (*Session, error) {
	now := d.cfg.Now()
	s := &Session{
		d: d, agentID: r.Agent.ID, epoch: r.Epoch, remoteAddr: r.RemoteAddr, link: r.Link, since: now,
		incarnation: r.Hello.Incarnation, journal: r.Hello.JournalID, version: r.Hello.Version, lastHeartbeat: now,
		slots: r.Hello.Facts.Slots, held: make(map[string]*holding),
	}
	a := r.Agent
	a.Facts = r.Hello.Facts
	s.know(a)
	s.credit(r.Hello.Free, 0)
	welcome, old := d.register(s, a)
	if old != nil {
		old.link.Close(wire.CloseSuperseded, "A newer connection of this agent took over.", 0, 0)
	}
	s.send(welcome)
	if err := d.sendBroadcast(ctx, s); err != nil {
		d.cfg.Log.Warn("broadcast entries not sent", "agent", a.Name, "err", err)
	}
	return s, s.page(&r.Hello)
}

// know takes over what the server decides about the agent. d.mu is held, or s is not registered yet.
func (s *Session) know(a octopus.Agent) {
	s.name, s.labels, s.sandbox = a.Name, a.MatchLabels(), octopus.SandboxLevel(a.Facts.Sandbox.Level)
	s.enabled, s.drained = a.Enabled && !a.Revoked, a.Drained
}

// register makes s the agent's session.
func (d *Dispatcher) register(s *Session, a octopus.Agent) (*wire.Welcome, *Session) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.sessions[s.agentID]
	if old != nil {
		d.unregister(old)
		d.remember(old)
	}
	d.sessions[s.agentID], d.names[s.name] = s, s
	d.join(s)
	every := d.interval()
	s.offline = offlineAfter(every)
	return &wire.Welcome{
		Name: a.Name, ServerID: d.cfg.ServerID, ServerVersion: d.cfg.Version, SessionEpoch: s.epoch,
		HeartbeatMS: every.Milliseconds(), FirstAfterMS: int64(d.intN(int(every.Milliseconds()) + 1)),
		OfflineMS: s.offline.Milliseconds(), Drained: a.Drained,
	}, old
}

// unregister ends s in memory. d.mu is held.
func (d *Dispatcher) unregister(s *Session) {
	s.closed = true
	delete(d.sessions, s.agentID)
	if d.names[s.name] == s {
		delete(d.names, s.name)
	}
	d.leave(s)
}

// interval is the heartbeats' for as many agents as are connected. d.mu is held.
func (d *Dispatcher) interval() time.Duration { return d.intervalFor(len(d.sessions)) }

// intervalFor is the interval for a number of agents.
func (d *Dispatcher) intervalFor(agents int) time.Duration {
	if d.cfg.Heartbeat > 0 {
		return d.cfg.Heartbeat
	}
	return min(max(time.Duration(agents)*time.Second/2000, 10*time.Second), 50*time.Second)
}

// offlineAfter is the silence after which an agent counts as gone.
func offlineAfter(every time.Duration) time.Duration { return every * 5 / 2 }

// absence is what an agent had when its session ended: its executions are lost when it stays away.
type absence struct {
	lastHeard time.Time
	offline   time.Duration // the silence that it was told makes it offline; its lease counts from there
	epoch     int64         // of its latest session that this server knows of
	name      string
	held      map[string]*holding
}

// remember keeps what s held. d.mu is held.
func (d *Dispatcher) remember(s *Session) {
	kept := make(map[string]*holding)
	for id, h := range s.held {
		if h.taken { // its go may be under way
			kept[id] = h
		}
	}
	if before := d.absent[s.agentID]; before != nil && !s.ready {
		for id, h := range before.held { // it went again before its hello was answered
			if kept[id] == nil {
				kept[id] = h
			}
		}
	}
	delete(d.absent, s.agentID)
	if len(kept) > 0 {
		d.absent[s.agentID] = &absence{lastHeard: s.lastHeartbeat, offline: s.offline, epoch: s.epoch, name: s.name, held: kept}
	}
}

// Detach ends the session. It may be called more than once; only the first cause counts.
func (s *Session) Detach(cause string) {
	d := s.d
	d.mu.Lock()
	if s.closed {
		d.mu.Unlock()
		return
	}
	d.unregister(s)
	d.remember(s)
	offered := make(map[string]int64)
	for id, h := range s.held {
		if !h.running {
			offered[id] = h.fence
		}
	}
	name := s.name
	d.mu.Unlock()
	d.roster.changed(s.agentID)
	for _, id := range slices.Sorted(maps.Keys(offered)) {
		fence := offered[id]
		e := event{kind: evDetach, agentID: s.agentID, agentName: name, fence: fence, message: cause}
		d.background(id, func(ctx context.Context) { d.tell(d.step(ctx, id, e)) })
	}
}

// Presence reports a connected agent; false: it is not connected to this server.
func (d *Dispatcher) Presence(agentID string) (Presence, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sessions[agentID]
	if s == nil {
		return Presence{}, false
	}
	p := Presence{
		Connected: true, Since: s.since, LastHeartbeat: s.lastHeartbeat, Free: s.credits(d.cfg.Now()), Slots: s.slots,
		Load: s.load, RemoteAddr: s.remoteAddr, Epoch: s.epoch, Drained: s.drained, Incarnation: s.incarnation,
	}
	for id, h := range s.held {
		if h.running {
			p.Running = append(p.Running, id)
		}
	}
	return p, true
}

// Online is how many agents are connected to this server.
func (d *Dispatcher) Online() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.sessions)
}

// Epoch is the session's number in the database.
func (s *Session) Epoch() int64 { return s.epoch }
