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
	a.status.prepare(len(list)) // at once: nobody may take a part of the list for all of it
	room := a.modules.Max()
	for i, m := range list {
		if room -= m.Size; room < 0 {
			a.status.prepare(i - len(list))
			return
		}
		select {
		case a.fetches <- m:
		default:
			a.status.prepare(i - len(list))
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
		a.status.prepared(a.prepare(ctx, m))
	}
}

// prepare downloads and compiles one module, where the policy allows its plugin.
func (a *Agent) prepare(ctx context.Context, m wire.Module) (ok bool) {
	if !a.policy.AllowsPlugin(m.Plugin) {
		return false
	}
	memory := m.Memory
	if memory == 0 {
		memory = wasmplugins.DefaultMemory
	}
	start := time.Now()
	a.begun.Add(1)
	defer a.begun.Add(1)
	_, err := a.modules.Ensure(ctx, m.Digest)
	if err == nil {
		_, err = a.pool.PrepareAhead(ctx, m.Digest, memory, m.Fuel)
	}
	switch {
	case ctx.Err() != nil:
		return false
	case err != nil:
		a.config.Log.Warn("prefetch", "plugin", m.Plugin, "version", m.Version, "err", err)
		return false
	}
	a.config.Log.Debug("prefetched", "plugin", m.Plugin, "version", m.Version, "took", time.Since(start).Round(time.Millisecond).String())
	return true
}
