package store

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"octopus/internal/octopus"
)

// Hours that are none: live holds how many executions are in a live state now, ever how many have ended.
const (
	live = 0
	ever = -1
)

// rollup is one row of the roll-ups: how many executions of a plugin came into a state in an hour.
type rollup struct {
	hour   int64
	plugin string
	status octopus.Status
}

// flush writes what the batch collected: each run, version on trial and roll-up row once, in a fixed order so that two
// servers do not deadlock.
func (t *tx) flush() error {
	if err := t.later.flush(t); err != nil {
		return err
	}
	if len(t.moves) == 0 {
		return nil
	}
	runs, rolls := t.sums()
	if err := t.countOutcomes(); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(runs)) {
		if err := t.countRun(id, runs[id]); err != nil {
			return err
		}
	}
	keys := slices.SortedFunc(maps.Keys(rolls), func(a, b rollup) int {
		return cmp.Or(cmp.Compare(a.hour, b.hour), cmp.Compare(a.plugin, b.plugin), cmp.Compare(a.status, b.status))
	})
	for _, key := range keys {
		if rolls[key] == 0 {
			continue
		}
		if _, err := t.exec(upsertRollup, t.store.serverID, key.hour, key.plugin, string(key.status), rolls[key], micros(t.now)); err != nil {
			return err
		}
	}
	return nil
}

const upsertRollup = `INSERT INTO rollups (server_id, hour, plugin, status, n, last_at) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (server_id, hour, plugin, status) DO UPDATE SET n = rollups.n + excluded.n, last_at = excluded.last_at`

// runCounts is how much each counter of a run changes.
type runCounts struct {
	by      [10]int64 // in the order of octopus.Statuses
	planned int64     // executions that came from the plan

}

func (t *tx) sums() (map[string]*runCounts, map[rollup]int64) {
	runs := make(map[string]*runCounts)
	rolls := make(map[rollup]int64)
	hour := t.now.Truncate(time.Hour).UnixMicro()
	for _, m := range t.moves {
		if m.from.Valid() && !m.from.Terminal() {
			rolls[rollup{live, m.plugin, m.from}]--
		}
		if m.to.Terminal() {
			rolls[rollup{hour, m.plugin, m.to}]++
			rolls[rollup{ever, m.plugin, m.to}]++
		} else {
			rolls[rollup{live, m.plugin, m.to}]++
		}
		if m.run == "" {
			continue // created with its run, whose counters say so already
		}
		counts := runs[m.run]
		if counts == nil {
			counts = new(runCounts)
			runs[m.run] = counts
		}
		if m.from == "" {
			counts.planned++
		} else {
			counts.by[index(m.from)]--
		}
		counts.by[index(m.to)]++
	}
	return runs, rolls
}

// index is the place of a state in octopus.Statuses.
func index(status octopus.Status) int { return slices.Index(octopus.Statuses, status) }

const countRunSQL = `UPDATE runs SET queued = queued + ?, offered = offered + ?, running = running + ?,
succeeded = succeeded + ?, failed = failed + ?, timed_out = timed_out + ?, cancelled = cancelled + ?,
lost = lost + ?, expired = expired + ?, rejected = rejected + ?, planned = planned - ?,
started_at = CASE WHEN started_at = 0 AND ? > 0 THEN ? ELSE started_at END,
finished_at = CASE WHEN queued + offered + running + planned + ? = 0 THEN ? ELSE finished_at END
WHERE id = ?`

// countRun moves a run's counters, and sets when it started and when it ended.
func (t *tx) countRun(id string, c *runCounts) error {
	now := micros(t.now)
	live := c.by[0] + c.by[1] + c.by[2] - c.planned
	_, err := t.exec(countRunSQL, c.by[0], c.by[1], c.by[2], c.by[3], c.by[4], c.by[5], c.by[6], c.by[7], c.by[8], c.by[9],
		c.planned, max(c.by[2], c.by[3]+c.by[4]), now, live, now, id)
	return err
}
