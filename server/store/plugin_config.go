package store

import (
	"context"

	"octopus/internal/octopus"
)

// PluginConfig returns what administrators filled in for a plugin; CodeNotFound where nobody did.
func (s *Store) PluginConfig(ctx context.Context, plugin string) (c octopus.PluginConfig, err error) {
	c.Plugin = plugin
	err = s.reads.row(ctx, "SELECT config, updated_at, updated_by FROM plugin_configs WHERE plugin = ?", clean(plugin)).
		Scan((*[]byte)(&c.Config), timeInto{&c.UpdatedAt}, &c.UpdatedBy)
	if err != nil {
		return c, s.notFound(err, "configuration of the plugin", plugin)
	}
	return c, nil
}

// SetPluginConfig replaces a plugin's configuration; an empty one removes it. It is noted in the plugin's history,
// with told.
func (s *Store) SetPluginConfig(ctx context.Context, c octopus.PluginConfig, told string) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := one[string](t.row(ctx, "SELECT name FROM plugins WHERE name = ?", clean(c.Plugin))); err != nil {
			return s.notFound(err, "plugin", c.Plugin)
		}
		query, args := "DELETE FROM plugin_configs WHERE plugin = ?", []any{c.Plugin}
		if len(c.Config) > 0 {
			query = `INSERT INTO plugin_configs (plugin, config, updated_at, updated_by) VALUES (?, ?, ?, ?)
ON CONFLICT (plugin) DO UPDATE SET config = excluded.config, updated_at = excluded.updated_at, updated_by = excluded.updated_by`
			args = append(args, clean(string(c.Config)), micros(t.now), clean(c.UpdatedBy))
		}
		_, err := t.exec(query, args...)
		if err == nil {
			err = t.pluginEvent(octopus.PluginEvent{Plugin: c.Plugin, Kind: octopus.PluginConfigured, Actor: c.UpdatedBy, Message: told})
		}
		t.hintPlugin(c.Plugin)
		return s.fail("configuration of a plugin", err)
	})
}
