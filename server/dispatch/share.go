package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// maxPrefetch is how many modules an agent is told to have ready.
const maxPrefetch = 20

// prefetch names the modules that the agent may need soon.
func (d *Dispatcher) prefetch(ctx context.Context, s *Session) {
	if m, err := d.modules(ctx); err == nil && len(m) > 0 {
		s.send(&wire.Prefetch{Modules: m})
	}
}

// modules are those that are published, enabled and granted, the most used first.
func (d *Dispatcher) modules(ctx context.Context) ([]wire.Module, error) {
	if m, ok := d.offers.prefetchList(); ok {
		return m, nil
	}
	epoch := d.offers.now()
	plugins, err := d.store.Plugins(ctx)
	if err != nil {
		return nil, fmt.Errorf("plugins: %w", err)
	}
	slices.SortStableFunc(plugins, func(a, b octopus.Plugin) int { return cmp.Compare(b.Runs, a.Runs) })
	list := []wire.Module{}
	for _, p := range plugins {
		if len(list) >= maxPrefetch || !p.Enabled || len(p.Versions) == 0 {
			continue
		}
		v := p.Versions[0]
		if v.Status != octopus.VersionPublished || len(d.cfg.Catalog.MissingGrants(ctx, v)) > 0 {
			continue
		}
		m, err := d.cfg.Catalog.Manifest(ctx, v.Digest)
		if err != nil {
			continue
		}
		list = append(list, wire.Module{Plugin: p.Name, Version: v.Version, Digest: v.Digest, Size: v.Size, Memory: orElse(uint64(m.Limits.Memory), defaultMemory)})
	}
	d.offers.keepPrefetch(epoch, list)
	return list, nil
}

func (d *Dispatcher) prefetchAll(ctx context.Context) {
	m, err := d.modules(ctx)
	if err != nil || len(m) == 0 {
		return
	}
	for _, s := range d.connected() {
		s.send(&wire.Prefetch{Modules: m})
	}
}

// connected lists the sessions.
func (d *Dispatcher) connected() []*Session {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*Session, 0, len(d.sessions))
	for _, s := range d.sessions {
		list = append(list, s)
	}
	return list
}

// maxBroadcast bounds the broadcast entries that agents get.
const maxBroadcast = 1000

// sendBroadcast gives an agent every entry of the broadcast region.
func (d *Dispatcher) sendBroadcast(ctx context.Context, s *Session) error {
	m, err := d.broadcast(ctx)
	if err != nil {
		return err
	}
	s.send(m)
	return nil
}

func (d *Dispatcher) broadcast(ctx context.Context) (*wire.Broadcast, error) {
	entries, err := d.store.CacheList(ctx, regionBroadcast, "", maxBroadcast)
	if err != nil {
		return nil, fmt.Errorf("broadcast entries: %w", err)
	}
	m := &wire.Broadcast{Reset: true, Entries: []wire.BroadcastEntry{}}
	now, size := d.store.Now(), 0
	for _, e := range entries {
		ttl := int64(0)
		if !e.ExpiresAt.IsZero() {
			if ttl = e.ExpiresAt.Sub(now).Milliseconds(); ttl <= 0 {
				continue
			}
		}
		if size += len(e.Key) + len(e.Value) + 64; size > wire.MaxFrame/2 {
			break
		}
		m.Entries = append(m.Entries, wire.BroadcastEntry{Name: e.Key, Value: json.RawMessage(e.Value), TTLMS: ttl})
	}
	return m, nil
}

func (d *Dispatcher) broadcastAll(ctx context.Context) {
	m, err := d.broadcast(ctx)
	if err != nil {
		d.cfg.Log.Warn("broadcast entries not sent", "err", err)
		return
	}
	for _, s := range d.connected() {
		s.send(m)
	}
}
