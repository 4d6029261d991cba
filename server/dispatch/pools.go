package dispatch

import (
	"maps"
	"slices"
	"time"

	"octopus/internal/octopus"
)

// maxPools bounds the selectors whose members are kept. Beyond it all are forgotten and found again when needed.
const maxPools = 1000

// pool is a selector and the connected agents that it matches.
type pool struct {
	selector octopus.Selector
	members  []*Session
}

// poolOf returns the pool of a canonical selector, nil when it is malformed. d.mu is held.
func (d *Dispatcher) poolOf(key string) *pool {
	if p := d.pools[key]; p != nil {
		return p
	}
	selector, err := octopus.ParseSelector(key)
	if err != nil {
		return nil
	}
	if len(d.pools) >= maxPools {
		clear(d.pools)
	}
	p := &pool{selector: selector}
	for _, id := range slices.Sorted(maps.Keys(d.sessions)) {
		p.admit(d.sessions[id])
	}
	d.pools[key] = p
	return p
}

func (p *pool) admit(s *Session) {
	if p.selector.Match(s.labels) {
		p.members = append(p.members, s)
	}
}

func (p *pool) remove(s *Session) {
	for i, m := range p.members {
		if m == s {
			last := len(p.members) - 1
			p.members[i] = p.members[last]
			p.members[last] = nil
			p.members = p.members[:last]
			return
		}
	}
}

// join adds a session to the pools that it matches; leave removes it from all. d.mu is held.
func (d *Dispatcher) join(s *Session) {
	for _, p := range d.pools {
		p.admit(s)
	}
}

func (d *Dispatcher) leave(s *Session) {
	for _, p := range d.pools {
		p.remove(s)
	}
}

// sample is how many members of a pool are looked at before all are: enough to balance, little enough for pools of
// ten thousand.
const sample = 64

// pick returns the least busy member with a credit, not among taken. d.mu is held.
func (p *pool) pick(now time.Time, taken map[string]bool, intN func(int) int) *Session {
	n := len(p.members)
	if n == 0 {
		return nil
	}
	start := intN(n) // equals share
	var best *Session
	for i := range n {
		s := p.members[(start+i)%n]
		if s.credits(now) > 0 && !taken[s.agentID] && (best == nil || s.running() < best.running()) {
			best = s
		}
		if best != nil && i >= sample {
			break
		}
	}
	return best
}
