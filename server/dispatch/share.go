package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"octopus/internal/wire"
)

// connected lists the sessions.
func (d *Dispatcher) connected() []*Session {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := slices.Collect(maps.Values(d.sessions))
	slices.SortFunc(list, func(a, b *Session) int { return strings.Compare(a.agentID, b.agentID) })
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
