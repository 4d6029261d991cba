package web

import (
	"context"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/views"
)

// agentStatus is what the pages call an agent's state: its status, or "drained" while it is online and drained.
func (s *Web) agentStatus(a octopus.Agent) string {
	status := a.Status()
	if p, ok := s.cfg.Dispatch.Presence(a.ID); ok && p.Connected && status == octopus.AgentOffline {
		status = octopus.AgentOnline // the row of the session is not written yet
	}
	if status == octopus.AgentOnline && a.Drained {
		return "drained"
	}
	return string(status)
}

// tile is an agent as the pages show it. running are executions on it, of which the first few are named.
func (s *Web) tile(a octopus.Agent, running []octopus.Execution) views.Tile {
	t := views.Tile{Agent: a, Status: s.agentStatus(a), Slots: a.Slots, Free: a.Slots - len(running)}
	if p, ok := s.cfg.Dispatch.Presence(a.ID); ok && p.Connected {
		t.Load = p.Load
		if p.Slots > 0 {
			t.Slots = p.Slots
			t.Free = p.Slots - len(running)
		}
	}
	for i, x := range running {
		if i == 3 {
			t.More = len(running) - i
			break
		}
		t.Running = append(t.Running, views.TileRun{ID: x.ID, Title: name(x)})
	}
	return t
}

// name is what an execution runs, for people.
func name(x octopus.Execution) string {
	if x.TaskName != "" {
		return x.TaskName
	}
	return x.Plugin
}

// held are the statuses of work that an agent has.
var held = []octopus.Status{octopus.Running, octopus.Offered}

// tiles reads what runs on the given agents, at most a page of it, with one query.
func (s *Web) tiles(ctx context.Context, agents []octopus.Agent) ([]views.Tile, error) {
	running, _, err := s.cfg.Store.Executions(ctx, store.ExecutionFilter{Statuses: held}, store.Page{Limit: store.MaxLimit, Descending: true})
	if err != nil {
		return nil, err
	}
	on := make(map[string][]octopus.Execution)
	for _, x := range running {
		on[x.AgentID] = append(on[x.AgentID], x)
	}
	out := make([]views.Tile, len(agents))
	for i, a := range agents {
		out[i] = s.tile(a, on[a.ID])
	}
	return out, nil
}

// runningOn is what an agent has now.
func (s *Web) runningOn(ctx context.Context, agentID string) ([]octopus.Execution, error) {
	list, _, err := s.cfg.Store.Executions(ctx, store.ExecutionFilter{AgentID: agentID, Statuses: held}, store.Page{Limit: 20, Descending: true})
	return list, err
}
