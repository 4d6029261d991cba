package web

import (
	"context"
	"net/http"
	"strings"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/views"
)

// hitsEach is how many of each kind the search shows.
const hitsEach = 5

// search finds tasks, plugins and agents by name, and anything by its id.
func (s *Web) search(w http.ResponseWriter, r *http.Request) error {
	q := strings.TrimSpace(r.FormValue("q"))
	hits, err := s.hits(r.Context(), q)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, views.Hits(q, hits))
}

func (s *Web) hits(ctx context.Context, q string) ([]views.Hit, error) {
	if q == "" {
		return []views.Hit{
			{Icon: "play", Label: "Run something", About: "Pick a plugin and fill its form", Href: "/run"},
			{Icon: "circle-x", Label: "What failed", About: "In the last 24 hours", Href: "/executions?status=failed,timed_out,lost&created_since=24h"},
			{Icon: "server", Label: "Add an agent", About: "One line to paste on a machine", Href: "/agents/new"},
		}, nil
	}
	if hit, ok := byID(q); ok {
		return []views.Hit{hit}, nil
	}
	var out []views.Hit
	tasks, _, err := s.cfg.Store.Tasks(ctx, store.TaskFilter{Text: q}, store.Page{Limit: hitsEach})
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		out = append(out, views.Hit{Icon: "list-checks", Label: t.Name, About: "Task · " + t.Plugin + " " + t.Action, Href: "/tasks/" + t.ID})
	}
	agents, _, err := s.cfg.Store.Agents(ctx, store.AgentFilter{Text: q}, store.Page{Limit: hitsEach})
	if err != nil {
		return nil, err
	}
	for _, a := range agents {
		out = append(out, views.Hit{Icon: "server", Label: a.Name, About: "Agent · " + s.agentStatus(a), Href: "/agents/" + a.ID})
	}
	choices, err := s.pick(ctx, q, "")
	if err != nil {
		return nil, err
	}
	for i, c := range choices {
		if i == hitsEach {
			break
		}
		out = append(out, views.Hit{Icon: "puzzle", Label: "Run " + c.Plugin + " " + c.Action, About: c.Description, Href: c.Href})
	}
	return out, nil
}

// byID knows where the thing with an id is shown.
func byID(id string) (views.Hit, bool) {
	for _, k := range []struct{ prefix, icon, what, path string }{
		{octopus.PrefixExecution, "activity", "Execution", "/executions/"}, {octopus.PrefixRun, "history", "Run", "/runs/"},
		{octopus.PrefixTask, "list-checks", "Task", "/tasks/"}, {octopus.PrefixAgent, "server", "Agent", "/agents/"},
		{octopus.PrefixUser, "user", "User", "/users/"},
	} {
		if octopus.ValidID(k.prefix, id) {
			return views.Hit{Icon: k.icon, Label: k.what + " " + id, About: "Open it", Href: k.path + id}, true
		}
	}
	return views.Hit{}, false
}
