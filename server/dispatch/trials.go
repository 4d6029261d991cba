package dispatch

import (
	"context"
	"maps"
	"slices"

	"octopus/internal/octopus"
)

// onTrial notes that an execution ended which counts when versions of its plugin are compared.
func (d *Dispatcher) onTrial(x octopus.Execution) {
	if !x.OnTrial {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.compare[x.Plugin] = true
}

// sweepTrials compares the versions of plugins of which something ended, so that one that fails is held within a
// second. What cannot be compared now is in the next sweep.
func (d *Dispatcher) sweepTrials(ctx context.Context) {
	d.mu.Lock()
	plugins := slices.Sorted(maps.Keys(d.compare))
	clear(d.compare)
	d.mu.Unlock()
	for _, name := range plugins {
		err := d.cfg.Catalog.Judge(ctx, name)
		if err == nil || ctx.Err() != nil || octopus.CodeOf(err) == octopus.CodeNotFound {
			continue
		}
		d.cfg.Log.Error("versions of a plugin not compared", "plugin", name, "err", err)
		d.mu.Lock()
		d.compare[name] = true
		d.mu.Unlock()
	}
}
