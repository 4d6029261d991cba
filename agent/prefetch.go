package agent

import (
	"context"
	"time"

	"octopus/internal/wire"
	"octopus/wasmplugins"
)

// noteModules remembers modules to be fetched, as many as the cache keeps: more would drive out those before them. What
// finds no room is fetched when it is needed.
func (a *Agent) noteModules(list []wire.Module) {
	room := a.modules.Max()
	for _, m := range list {
		if room -= m.Size; room < 0 {
			return
		}
		select {
		case a.fetches <- m:
		default:
			return
		}
	}
}

// prefetch downloads and compiles modules while nothing else runs. It is a goroutine of Run.
func (a *Agent) prefetch(ctx context.Context) {
	for {
		var m wire.Module
		select {
		case <-ctx.Done():
			return
		case m = <-a.fetches:
		}
		if !a.status.untilIdle(ctx) {
			return
		}
		if !a.policy.AllowsPlugin(m.Plugin) {
			continue
		}
		memory := m.Memory
		if memory == 0 {
			memory = wasmplugins.DefaultMemory
		}
		start := time.Now()
		a.begun.Add(1)
		_, err := a.modules.Ensure(ctx, m.Digest)
		if err == nil {
			_, err = a.pool.PrepareAhead(ctx, m.Digest, memory, m.Fuel)
		}
		a.begun.Add(1)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			a.config.Log.Warn("prefetch", "plugin", m.Plugin, "version", m.Version, "err", err)
			continue
		}
		a.config.Log.Debug("prefetched", "plugin", m.Plugin, "version", m.Version, "took", time.Since(start).Round(time.Millisecond).String())
	}
}
