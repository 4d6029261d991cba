package store

import (
	"context"
	"time"

	"octopus/internal/octopus"
)

// DropVersion forgets a version with its grant and module, and reports whether it did. It keeps one that a task
// names, that has work which has not ended, or of which work was made since a time. What ran stays as it is told.
func (s *Store) DropVersion(ctx context.Context, v octopus.PluginVersion, since time.Time) (dropped bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		needed, err := t.needed(v, since)
		if dropped = err == nil && !needed; !dropped {
			return s.fail("plugin version in use", err)
		}
		for _, query := range []string{
			"DELETE FROM plugin_versions WHERE digest = ?", "DELETE FROM grants WHERE digest = ?", "DELETE FROM modules WHERE digest = ?",
			"DELETE FROM plugin_signatures WHERE digest = ?", "DELETE FROM plugin_fetches WHERE digest = ?",
		} {
			if _, err := t.exec(query, v.Digest); err != nil {
				return s.fail("plugin version", err)
			}
		}
		t.hintPlugin(v.Plugin)
		return nil
	})
	return dropped && err == nil, err
}

// needed says whether somebody may still ask for a version.
func (t *tx) needed(v octopus.PluginVersion, since time.Time) (bool, error) {
	ctx := context.Background()
	tasks, err := list(ctx, t, scanTask, "SELECT "+taskColumns+" FROM tasks WHERE plugin = ? AND deleted_at = 0", v.Plugin)
	if err != nil {
		return true, err
	}
	for _, task := range tasks {
		if task.Version == v.Version {
			return true, nil
		}
	}
	for _, q := range []struct {
		query string
		args  []any
	}{
		{"SELECT count(*) FROM executions WHERE status IN ('queued', 'offered', 'running') AND digest = ?", []any{v.Digest}},
		{"SELECT count(*) FROM runs WHERE planned > 0 AND digest = ?", []any{v.Digest}},
		{"SELECT count(*) FROM executions WHERE plugin = ? AND id > ? AND digest = ?",
			[]any{v.Plugin, octopus.PrefixExecution + ulidTime(since), v.Digest}},
	} {
		if n, err := one[int](t.row(ctx, q.query, q.args...)); err != nil || n > 0 {
			return true, err
		}
	}
	return false, nil
}
