package dispatch

import (
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
)

// backlog is what this server believes is queued, so that nothing is asked of the database while nothing waits.
// Keys are pools and, with the prefix bound, agents. It is fed by this server's own steps and by hints, and read
// again each second while it is not empty. Its methods need d.mu.
type backlog struct {
	queued  map[string]bool // something waits there, as far as known
	ripe    map[string]bool // worth a claim: something may have changed since the last one
	unknown bool            // hints were lost: read it again

	read      time.Time // when it was read last
	explained time.Time // when the reasons of waits were looked at last
}

// bound marks a key as an agent's id.
const bound = "agent:"

func (b *backlog) init() {
	b.queued, b.ripe, b.unknown = make(map[string]bool), make(map[string]bool), true
}

func (b *backlog) add(key string) { b.queued[key], b.ripe[key] = true, true }
func (b *backlog) any() bool      { return len(b.ripe) > 0 }

// revive makes everything that waits worth another claim: an agent came.
func (b *backlog) revive() {
	for key := range b.queued {
		b.ripe[key] = true
	}
}

// replace takes over what the database says.
func (b *backlog) replace(pools, agents []string) {
	b.queued, b.unknown = make(map[string]bool, len(pools)+len(agents)), false
	clear(b.ripe)
	for _, p := range pools {
		b.add(p)
	}
	for _, id := range agents {
		b.add(bound + id)
	}
}

// backlogKey is where an execution waits.
func backlogKey(x octopus.Execution) string {
	if x.BoundAgent != "" {
		return bound + x.BoundAgent
	}
	return x.Pool
}

// queued notes that x waits, tells the other servers and wakes the claimer.
func (d *Dispatcher) queued(x octopus.Execution) {
	key := backlogKey(x)
	d.mu.Lock()
	d.backlog.add(key)
	d.mu.Unlock()
	d.publish(bus.Hint{Topic: topicQueued, ID: key})
	d.wakeClaim()
}

// backlogUnknown has the sweeper read the backlog again.
func (d *Dispatcher) backlogUnknown() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.backlog.unknown = true
}
