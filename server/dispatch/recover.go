package dispatch

import (
	"context"
	"fmt"

	"octopus/internal/octopus"
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
		if s.ID == d.cfg.ServerID || d.shared && s.Alive(d.store.Now()) {
			continue
		}
		if _, err := d.store.CloseServerSessions(ctx, s.ID, "the server stopped"); err != nil {
			return fmt.Errorf("old sessions: %w", err)
		}
	}
	return nil
}

// findOrphans makes absent the agents that hold executions and are connected nowhere. They get their whole time to
// come back: silence counts from now.
func (d *Dispatcher) findOrphans(ctx context.Context) error {
	held := make(map[string][]octopus.Execution)
	page := store.Page{Limit: store.MaxLimit}
	for {
		list, next, err := d.store.Executions(ctx, store.ExecutionFilter{Statuses: []octopus.Status{octopus.Running}}, page)
		if err != nil {
			return fmt.Errorf("running executions: %w", err)
		}
		for _, x := range list {
			held[x.AgentID] = append(held[x.AgentID], x)
		}
		if page.Cursor = next; next == "" {
			break
		}
	}
	if len(held) == 0 {
		return nil
	}
	fleet, err := readAll(ctx, d.store)
	if err != nil {
		return fmt.Errorf("agents: %w", err)
	}
	for agent, list := range held {
		d.orphan(agent, list, fleet[agent], len(fleet))
	}
	return nil
}

// orphan notes the executions of an agent that is not here. What it was told about heartbeats is not known: it is
// taken to be what the whole fleet on one server would be told, the longest that there can be.
func (d *Dispatcher) orphan(agent string, list []octopus.Execution, as known, fleet int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sessions[agent] != nil || d.shared && as.connected {
		return
	}
	a := d.absent[agent]
	if a == nil {
		a = &absence{
			lastHeard: d.cfg.Now(), offline: offlineAfter(d.intervalFor(fleet)), epoch: as.epoch, name: list[0].AgentName,
			held: make(map[string]*holding),
		}
		d.absent[agent] = a
	}
	for _, x := range list {
		if h := a.held[x.ID]; h == nil || h.fence != x.Fence {
			a.held[x.ID] = holdingOf(x)
		}
	}
}
