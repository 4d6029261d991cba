package store

import (
	"context"
	"time"

	"octopus/internal/octopus"
)

// maxPluginEvents is how much of a plugin's history is kept.
const maxPluginEvents = 1000

// pluginEvent adds a line to a plugin's history, in the transaction of what it tells.
func (t *tx) pluginEvent(e octopus.PluginEvent) error {
	if e.At.IsZero() {
		e.At = t.now
	}
	_, err := t.exec("INSERT INTO plugin_events (id, plugin, version, digest, kind, actor, message, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		octopus.NewID(octopus.PrefixPluginEvent, e.At), e.Plugin, e.Version, e.Digest, string(e.Kind), clean(e.Actor), clean(e.Message), micros(e.At))
	if err != nil {
		return err
	}
	_, err = t.exec(`DELETE FROM plugin_events WHERE plugin = ? AND id <=
(SELECT id FROM plugin_events WHERE plugin = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`, e.Plugin, e.Plugin, maxPluginEvents)
	return err
}

// refusedWindow is how long the same refusal by the same agent is one line of a plugin's history.
const refusedWindow = time.Hour

// pluginEventOnce is pluginEvent unless the same line was added within window.
func (t *tx) pluginEventOnce(e octopus.PluginEvent, window time.Duration) error {
	n, err := one[int](t.row(context.Background(), `SELECT count(*) FROM plugin_events
WHERE plugin = ? AND version = ? AND kind = ? AND actor = ? AND message = ? AND at > ?`,
		e.Plugin, e.Version, string(e.Kind), clean(e.Actor), clean(e.Message), micros(t.now.Add(-window))))
	if err == nil && n == 0 {
		err = t.pluginEvent(e)
		t.hint(topicSubmissions, e.Plugin)
	}
	return err
}

// AddPluginEvent adds a line to a plugin's history. The same line within window is added once: what agents report may
// come from hundreds of them.
func (s *Store) AddPluginEvent(ctx context.Context, e octopus.PluginEvent, window time.Duration) error {
	return s.write(ctx, func(t *tx) error {
		return s.fail("plugin's history", t.pluginEventOnce(e, window))
	})
}

// PluginEvents lists what happened to a plugin.
func (s *Store) PluginEvents(ctx context.Context, plugin string, p Page) (items []octopus.PluginEvent, next string, err error) {
	h := history[octopus.PluginEvent]{
		table: "plugin_events", columns: "id, plugin, version, digest, kind, actor, message, at",
		scan: func(row scanner) (e octopus.PluginEvent, err error) {
			err = row.Scan(&e.ID, &e.Plugin, &e.Version, &e.Digest, &e.Kind, &e.Actor, &e.Message, timeInto{&e.At})
			return e, err
		},
		id: func(e *octopus.PluginEvent) string { return e.ID },
	}
	if plugin != "" {
		h.cheap.add("plugin = ?", plugin)
	}
	items, next, err = h.page(ctx, s.reads, p)
	return items, next, s.fail("plugin's history", err)
}
