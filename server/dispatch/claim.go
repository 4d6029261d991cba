package dispatch

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// claimLimit is how many executions one claim takes, the most that one commit groups.
const claimLimit = 200

// claimLoop hands queued work to agents that have room. One claim is under way at a time: what is freed meanwhile
// is served by the next, so that claims batch by themselves.
func (d *Dispatcher) claimLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		}
		for ctx.Err() == nil && d.claim(ctx) {
		}
	}
}

// claim makes one claim and reports whether another may find more.
func (d *Dispatcher) claim(ctx context.Context) bool {
	q, keys := d.claimQuery()
	if len(q.Agents) == 0 {
		return false
	}
	taken, err := d.store.Claim(ctx, q, func(x octopus.Execution, a store.ClaimAgent, now time.Time) (store.Change, error) {
		c, _, err := d.rules.step(x, now, event{kind: evOffer, agentID: a.ID, agentName: a.Name})
		return c, err
	})
	d.settleClaim(q, keys, taken, err)
	if err != nil {
		if ctx.Err() == nil {
			d.cfg.Log.Error("claim failed", "err", err)
		}
		return false
	}
	d.sendOffers(ctx, taken)
	return len(taken) >= q.Limit
}

// claimQuery reserves every credit that ripe work could use. keys is what it asks for.
func (d *Dispatcher) claimQuery() (q store.ClaimQuery, keys map[string]bool) {
	q.Limit = claimLimit
	keys = make(map[string]bool)
	now := d.cfg.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	pools := make(map[*Session][]string)
	var agents []*Session // the keys of pools, in the order that they were found: the same each time
	add := func(s *Session, more ...string) {
		if _, known := pools[s]; !known {
			agents = append(agents, s)
		}
		pools[s] = append(pools[s], more...)
	}
	for _, key := range slices.Sorted(maps.Keys(d.backlog.ripe)) {
		if id, ok := strings.CutPrefix(key, bound); ok {
			if s := d.sessions[id]; s != nil && s.credits(now) > 0 {
				add(s)
				keys[key] = true
			} else if s == nil {
				delete(d.backlog.ripe, key) // its agent is not here; revive brings it back when it comes
			}
			continue
		}
		p := d.poolOf(key)
		if p == nil {
			delete(d.backlog.ripe, key)
			continue
		}
		for _, s := range p.members {
			if s.credits(now) > 0 {
				add(s, key)
				keys[key] = true
			}
		}
	}
	for _, s := range agents {
		credits := min(s.credits(now), claimLimit)
		s.reserved += credits
		q.Agents = append(q.Agents, store.ClaimAgent{ID: s.agentID, Name: s.name, Credits: credits, Pools: pools[s], Sandbox: s.sandbox})
	}
	return q, keys
}

// settleClaim releases the credits that were not used. Where agents still have room, what they asked for has
// nothing more for them.
func (d *Dispatcher) settleClaim(q store.ClaimQuery, keys map[string]bool, taken []octopus.Execution, err error) {
	used := make(map[string]int)
	for _, x := range taken {
		used[x.AgentID]++
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	room := make(map[string]bool)
	for _, a := range q.Agents {
		left := a.Credits - used[a.ID]
		if s := d.sessions[a.ID]; s != nil {
			s.reserved = max(s.reserved-left, 0)
		}
		if left > 0 {
			room[bound+a.ID] = true
			for _, key := range a.Pools {
				room[key] = true
			}
		}
	}
	if err != nil || len(taken) >= q.Limit {
		return
	}
	for key := range keys {
		if room[key] {
			delete(d.backlog.ripe, key)
		}
	}
}
