package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"octopus/internal/octopus"
)

// RingMove places, holds or resumes one version of a plugin.
type RingMove struct {
	Version    string
	Ring       octopus.Ring
	Held       bool
	Note       string    // why it is held
	WatchUntil time.Time // see octopus.PluginVersion
	Told       string    // what the plugin's history says of it
	Was        time.Time // RingAt as it was read: a version that was moved since is CodeConflict
}

// MoveRings moves versions of a plugin, all or none. What was counted of a version that is not held is counted anew
// from here, and where it is in a narrower ring than all that of the others as well: both are seen over the same time.
func (s *Store) MoveRings(ctx context.Context, plugin, by string, moves []RingMove) error {
	return s.write(ctx, func(t *tx) error {
		for _, m := range moves {
			if err := t.moveRing(plugin, by, m); err != nil {
				return s.fail("ring", err)
			}
		}
		t.hintPlugin(plugin)
		return nil
	})
}

func (t *tx) moveRing(plugin, by string, m RingMove) error {
	at := t.now
	if !at.After(m.Was) { // two moves within a microsecond, or a clock that was set back: the later must differ
		at = m.Was.Add(time.Microsecond)
	}
	n, err := t.exec(`UPDATE plugin_versions SET ring = ?, held = ?, ring_note = ?, ring_at = ?, ring_by = ?, watch_until = ?
WHERE plugin = ? AND version = ? AND ring_at = ?`, string(m.Ring), m.Held, clean(m.Note), micros(at), clean(by), micros(m.WatchUntil), plugin, m.Version, micros(m.Was))
	if err == nil && n == 0 {
		return octopus.Errorf(octopus.CodeConflict, "%s %s was moved by somebody else meanwhile. Look at its page and decide again.", plugin, m.Version)
	}
	var digest string
	if err == nil {
		digest, err = one[string](t.row(context.Background(), "SELECT digest FROM plugin_versions WHERE plugin = ? AND version = ?", plugin, m.Version))
	}
	switch {
	case err != nil || m.Held: // what was counted says why
	case m.Ring == octopus.RingAll:
		err = t.forgetOutcomes(plugin, digest)
	default:
		err = t.forgetOutcomes(plugin, "")
	}
	if err == nil {
		err = t.pluginEvent(octopus.PluginEvent{Plugin: plugin, Version: m.Version, Digest: digest, Kind: octopus.PluginRingMoved, Actor: by, Message: m.Told})
	}
	return err
}

// forgetOutcomes begins to count anew for one digest, or with "" for all versions of a plugin that are not held.
func (t *tx) forgetOutcomes(plugin, digest string) error {
	_, err := t.exec(`DELETE FROM plugin_outcomes WHERE plugin = ? AND (digest = ? OR ? = '' AND digest NOT IN
(SELECT digest FROM plugin_versions WHERE plugin = ? AND held))`, plugin, digest, digest, plugin)
	return err
}

const upsertOutcomes = `INSERT INTO plugin_outcomes (server_id, plugin, digest, succeeded, failed) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (server_id, plugin, digest) DO UPDATE SET
succeeded = plugin_outcomes.succeeded + excluded.succeeded, failed = plugin_outcomes.failed + excluded.failed`

// countOutcomes writes how the batch's executions on trial ended. Each server has its own rows, as in the roll-ups.
func (t *tx) countOutcomes() error {
	type key struct{ plugin, digest string }
	sums := make(map[key]octopus.Tally)
	for _, m := range t.moves {
		if m.trial == "" {
			continue
		}
		k := key{m.plugin, m.trial}
		tally := sums[k]
		if m.failed {
			tally.Failed++
		} else {
			tally.Succeeded++
		}
		sums[k] = tally
	}
	keys := slices.SortedFunc(maps.Keys(sums), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.plugin, b.plugin), cmp.Compare(a.digest, b.digest))
	})
	for _, k := range keys {
		if _, err := t.exec(upsertOutcomes, t.store.serverID, k.plugin, k.digest, sums[k].Succeeded, sums[k].Failed); err != nil {
			return err
		}
	}
	return nil
}

// Outcomes says how executions of each version ended that were compared with one another, by digest.
func (s *Store) Outcomes(ctx context.Context, plugin string) (map[string]octopus.Tally, error) {
	type row struct {
		digest string
		tally  octopus.Tally
	}
	rows, err := list(ctx, s.reads, func(sc scanner) (r row, err error) {
		err = sc.Scan(&r.digest, &r.tally.Succeeded, &r.tally.Failed)
		return r, err
	}, `SELECT digest, CAST(sum(succeeded) AS BIGINT), CAST(sum(failed) AS BIGINT) FROM plugin_outcomes WHERE plugin = ? GROUP BY digest`, plugin)
	out := make(map[string]octopus.Tally, len(rows))
	for _, r := range rows {
		out[r.digest] = r.tally
	}
	return out, s.fail("outcomes", err)
}

// Compared lists the plugins that have outcomes.
func (s *Store) Compared(ctx context.Context) ([]string, error) {
	names, err := list(ctx, s.reads, one[string], "SELECT DISTINCT plugin FROM plugin_outcomes ORDER BY plugin")
	return names, s.fail("outcomes", err)
}
