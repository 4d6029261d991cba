package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"octopus/internal/octopus"
)

// rollupRow is a sum over the servers.
type rollupRow struct {
	hour   int64
	plugin string
	status octopus.Status
	n      int
}

const overviewSQL = "SELECT hour, plugin, status, sum(n) FROM rollups WHERE hour = 0 OR hour >= ? GROUP BY hour, plugin, status"

// Overview returns the home page's numbers. It reads roll-ups only, whose number does not grow with history.
func (s *Store) Overview(ctx context.Context) (Overview, error) {
	now := s.Now().Truncate(time.Hour)
	first := now.Add(-23 * time.Hour)
	rows, err := list(ctx, s.reads, func(row scanner) (r rollupRow, err error) {
		err = row.Scan(&r.hour, &r.plugin, &r.status, &r.n)
		return r, err
	}, overviewSQL, micros(first))
	if err != nil {
		return Overview{}, s.fail("overview", err)
	}
	o := Overview{ByStatus24h: make(octopus.Counts)}
	for at := first; !at.After(now); at = at.Add(time.Hour) {
		o.PerHour = append(o.PerHour, HourCount{Hour: at, Counts: make(octopus.Counts)})
	}
	plugins := make(map[string]octopus.Counts)
	for _, r := range rows {
		o.add(r, first, plugins)
	}
	for name, counts := range plugins {
		o.Plugins = append(o.Plugins, PluginCount{Plugin: name, Counts: counts})
	}
	slices.SortFunc(o.Plugins, func(a, b PluginCount) int {
		return cmp.Or(cmp.Compare(b.Counts.Total(), a.Counts.Total()), cmp.Compare(a.Plugin, b.Plugin))
	})
	return o, nil
}

func (o *Overview) add(r rollupRow, first time.Time, plugins map[string]octopus.Counts) {
	if r.hour == live {
		if r.status == octopus.Running {
			o.Running += r.n
		} else {
			o.Queued += r.n
		}
		return
	}
	i := int(fromMicros(r.hour).Sub(first) / time.Hour)
	if i < 0 || i >= len(o.PerHour) {
		return // the clock went back
	}
	o.ByStatus24h[r.status] += r.n
	o.PerHour[i].Counts[r.status] += r.n
	if plugins[r.plugin] == nil {
		plugins[r.plugin] = make(octopus.Counts)
	}
	plugins[r.plugin][r.status] += r.n
}
