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
