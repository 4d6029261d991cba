package store

import (
	"context"
	"strings"

	"octopus/internal/octopus"
)

// named is a list of rows with unique names: tasks or agents. What SQL cannot decide, keep does.
type named[T any] struct {
	selectSQL string
	first     []any // arguments of selectSQL itself
	where     conditions
	column    string
	scan      func(scanner) (T, error)
	name      func(*T) string
	keep      func(*T) bool
}

// page reads a page in the order of names.
func (n *named[T]) page(ctx context.Context, q queryer, p Page) (items []T, next string, err error) {
	at, err := p.key()
	if err != nil {
		return nil, "", err
	}
	limit := bounded(p.Limit)
	compare, direction := p.order()
	for key := at.Key; ; {
		c := n.where.and("1 = 1")
		if key != "" {
			c = n.where.and(n.column+" "+compare+" ?", key)
		}
		read := max(limit+1, MaxLimit)
		if n.keep == nil {
			read = limit + 1
		}
		args := append(append(append([]any{}, n.first...), c.args...), read)
		rows, err := list(ctx, q, n.scan, n.selectSQL+c.where()+" ORDER BY "+n.column+" "+direction+" LIMIT ?", args...)
		if err != nil {
			return nil, "", err
		}
		for i := range rows {
			if n.keep == nil || n.keep(&rows[i]) {
				items = append(items, rows[i])
			}
		}
		if len(items) > limit {
			items = items[:limit]
			return items, cursor{Key: n.name(&items[limit-1])}.String(), nil
		}
		if len(rows) < read {
			return items, "", nil
		}
		key = n.name(&rows[len(rows)-1])
	}
}

// Agents lists agents by name.
func (s *Store) Agents(ctx context.Context, f AgentFilter, p Page) (items []octopus.Agent, next string, err error) {
	selector, err := octopus.ParseSelector(f.Selector)
	if err != nil {
		return nil, "", err
	}
	n := named[octopus.Agent]{selectSQL: "SELECT " + agentColumns + " FROM agents", first: []any{s.leaseLimit()}, column: "agents.name",
		scan: s.scanAgent, name: func(a *octopus.Agent) string { return a.Name }}
	n.where.contains(f.Text, "name", "facts")
	if f.Text != "" || f.Selector != "" || f.Status != "" {
		text := strings.ToLower(f.Text)
		n.keep = func(a *octopus.Agent) bool {
			return (f.Status == "" || a.Status() == f.Status) && agentHas(a, text) && (f.Selector == "" || selector.Match(a.MatchLabels()))
		}
	}
	items, next, err = n.page(ctx, s.reads, p)
	return items, next, s.fail("agents", err)
}

// agentHas reports whether text is part of what people know an agent by.
func agentHas(a *octopus.Agent, text string) bool {
	known := append([]string{a.Name, a.Facts.Hostname, a.Facts.Platform, a.Facts.OS, a.Facts.User}, a.Facts.Addresses...)
	for _, word := range known {
		if strings.Contains(strings.ToLower(word), text) {
			return true
		}
	}
	return text == ""
}

// Tasks lists tasks by name, each with its newest run.
func (s *Store) Tasks(ctx context.Context, f TaskFilter, p Page) (items []octopus.Task, next string, err error) {
	selector, err := octopus.ParseSelector(f.Selector)
	if err != nil {
		return nil, "", err
	}
	n := named[octopus.Task]{selectSQL: "SELECT " + taskColumns + " FROM tasks", column: "name", scan: scanTask,
		name: func(t *octopus.Task) string { return t.Name }}
	if f.Deleted { // their names need not be unique
		n.where.add("deleted_at > 0")
		n.column, n.name = "id", func(t *octopus.Task) string { return t.ID }
	} else {
		n.where.add("deleted_at = 0")
	}
	if f.Folder != "" {
		n.where.add("folder = ?", f.Folder)
	}
	if f.Plugin != "" {
		n.where.add("plugin = ?", f.Plugin)
	}
	if f.Enabled != nil {
		n.where.add("enabled = ?", *f.Enabled)
	}
	n.where.contains(f.Text, "name", "description", "folder", "plugin")
	if f.Selector != "" {
		n.keep = func(t *octopus.Task) bool { return selector.Match(t.Labels) }
	}
	if items, next, err = n.page(ctx, s.reads, p); err == nil {
		err = addLastRuns(ctx, s.reads, items)
	}
	return items, next, s.fail("tasks", err)
}
