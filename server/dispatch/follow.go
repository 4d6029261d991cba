package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/bus"
	"octopus/server/store"
)

// recover reads what an earlier process left behind, before timers run.
func (d *Dispatcher) recover(ctx context.Context) error {
	if err := d.closeOldSessions(ctx); err != nil {
		return err
	}
	if err := d.findOrphans(ctx); err != nil {
		return err
	}
	d.moreToExpand(ctx)
	d.wakeClaim()
	return nil
}

// closeOldSessions ends the sessions of servers that are gone. With SQLite there is no other server.
func (d *Dispatcher) closeOldSessions(ctx context.Context) error {
	servers, err := d.store.Servers(ctx)
	if err != nil {
		return fmt.Errorf("servers: %w", err)
	}
	for _, s := range servers {
		if s.ID == d.cfg.ServerID || d.store.Dialect() == "postgres" && s.Alive(d.store.Now()) {
			continue
		}
		if _, err := d.store.CloseServerSessions(ctx, s.ID, "the server stopped"); err != nil {
			return fmt.Errorf("old sessions: %w", err)
		}
	}
	return nil
}

// findOrphans makes absent the agents that hold executions and are not connected here. They get their whole time to
// come back: silence counts from the start of this server at the earliest.
func (d *Dispatcher) findOrphans(ctx context.Context) error {
	page := store.Page{Limit: store.MaxLimit}
	for {
		list, next, err := d.store.Executions(ctx, store.ExecutionFilter{Statuses: []octopus.Status{octopus.Running}}, page)
		if err != nil {
			return fmt.Errorf("running executions: %w", err)
		}
		d.mu.Lock()
		for _, x := range list {
			d.orphan(x)
		}
		d.mu.Unlock()
		if page.Cursor = next; next == "" {
			return nil
		}
	}
}

// orphan notes an execution whose agent is not here. d.mu is held.
func (d *Dispatcher) orphan(x octopus.Execution) {
	if d.sessions[x.AgentID] != nil {
		return
	}
	a := d.absent[x.AgentID]
	if a == nil {
		a = &absence{lastHeard: d.cfg.Now(), name: x.AgentName, held: make(map[string]*holding)}
		d.absent[x.AgentID] = a
	}
	if a.held[x.ID] == nil {
		a.held[x.ID] = holdingOf(x)
	}
}

// orphanEvery is how often executions are looked for whose server is gone, where there may be others.
const orphanEvery = 30 * time.Second

// followLoop reacts to what others change: agents, plugins, broadcast entries, work that waits.
func (d *Dispatcher) followLoop(ctx context.Context) {
	if d.cfg.Bus == nil {
		<-ctx.Done()
		return
	}
	sub := d.cfg.Bus.Subscribe(1024, "agents", "plugins", topicQueued, "cache:"+regionBroadcast, "broadcast")
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
			if d.store.Dialect() == "postgres" {
				if err := d.findOrphans(ctx); err != nil && ctx.Err() == nil {
					d.cfg.Log.Warn("orphans not read", "err", err)
				}
			}
		}
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
	if d.names[s.name] == s {
		delete(d.names, s.name)
	}
	d.leave(s)
	s.know(a)
	if !s.closed {
		d.names[s.name] = s
		d.join(s)
	}
	d.backlog.revive()
	any := d.backlog.any()
	d.mu.Unlock()
	if changed {
		s.send(&wire.Settings{Name: a.Name, Drained: a.Drained})
	}
	if any {
		d.wakeClaim()
	}
}

// end closes the connection and the session.
func (s *Session) end(code int, why string) {
	s.link.Close(code, why, 0, 0)
	s.Detach(why)
}

// maxPrefetch is how many modules an agent is told to have ready.
const maxPrefetch = 20

// prefetch names the modules that the agent may need soon.
func (d *Dispatcher) prefetch(ctx context.Context, s *Session) {
	if m, err := d.modules(ctx); err == nil && len(m) > 0 {
		s.send(&wire.Prefetch{Modules: m})
	}
}

// modules are those that are published, enabled and granted, the most used first.
func (d *Dispatcher) modules(ctx context.Context) ([]wire.Module, error) {
	if m, ok := d.offers.prefetchList(); ok {
		return m, nil
	}
	plugins, err := d.store.Plugins(ctx)
	if err != nil {
		return nil, fmt.Errorf("plugins: %w", err)
	}
	slices.SortStableFunc(plugins, func(a, b octopus.Plugin) int { return cmp.Compare(b.Runs, a.Runs) })
	list := []wire.Module{}
	for _, p := range plugins {
		if len(list) >= maxPrefetch || !p.Enabled || len(p.Versions) == 0 {
			continue
		}
		v := p.Versions[0]
		if v.Status != octopus.VersionPublished || len(d.cfg.Catalog.MissingGrants(ctx, v)) > 0 {
			continue
		}
		m, err := d.cfg.Catalog.Manifest(ctx, v.Digest)
		if err != nil {
			continue
		}
		list = append(list, wire.Module{Plugin: p.Name, Version: v.Version, Digest: v.Digest, Size: v.Size, Memory: orElse(uint64(m.Limits.Memory), defaultMemory)})
	}
	d.offers.keepPrefetch(list)
	return list, nil
}

func (d *Dispatcher) prefetchAll(ctx context.Context) {
	m, err := d.modules(ctx)
	if err != nil || len(m) == 0 {
		return
	}
	for _, s := range d.connected() {
		s.send(&wire.Prefetch{Modules: m})
	}
}

// connected lists the sessions.
func (d *Dispatcher) connected() []*Session {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*Session, 0, len(d.sessions))
	for _, s := range d.sessions {
		list = append(list, s)
	}
	return list
}

// maxBroadcast bounds the broadcast entries that agents get.
const maxBroadcast = 1000

// sendBroadcast gives an agent every entry of the broadcast region.
func (d *Dispatcher) sendBroadcast(ctx context.Context, s *Session) error {
	m, err := d.broadcast(ctx)
	if err != nil {
		return err
	}
	s.send(m)
	return nil
}

func (d *Dispatcher) broadcast(ctx context.Context) (*wire.Broadcast, error) {
	entries, err := d.store.CacheList(ctx, regionBroadcast, "", maxBroadcast)
	if err != nil {
		return nil, fmt.Errorf("broadcast entries: %w", err)
	}
	m := &wire.Broadcast{Reset: true, Entries: []wire.BroadcastEntry{}}
	now, size := d.store.Now(), 0
	for _, e := range entries {
		ttl := int64(0)
		if !e.ExpiresAt.IsZero() {
			if ttl = e.ExpiresAt.Sub(now).Milliseconds(); ttl <= 0 {
				continue
			}
		}
		if size += len(e.Key) + len(e.Value) + 64; size > wire.MaxFrame/2 {
			break
		}
		m.Entries = append(m.Entries, wire.BroadcastEntry{Name: e.Key, Value: json.RawMessage(e.Value), TTLMS: ttl})
	}
	return m, nil
}

func (d *Dispatcher) broadcastAll(ctx context.Context) {
	m, err := d.broadcast(ctx)
	if err != nil {
		d.cfg.Log.Warn("broadcast entries not sent", "err", err)
		return
	}
	for _, s := range d.connected() {
		s.send(m)
	}
}
