package dispatch

import (
	"context"
	"math/rand/v2"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
)

// Driver is what is left to goroutines and chance, so that a simulator can replay a history from its seed: who runs
// when, which of equals is picked, and the identifiers of what is made.
type Driver interface {
	// Later queues fn behind whatever was queued under the key, and returns at once. Of one key one piece runs at a
	// time; of two keys none waits for the other.
	Later(key string, fn func())
	// Wait queues fn in the same way and returns when it has run.
	Wait(key string, fn func())
	// Wake asks for a call of Driven.Claim.
	Wake()
	// IntN returns a number in [0, n).
	IntN(n int) int
	// NewID returns an identifier that was never used.
	NewID(prefix string, now time.Time) string
}

// Driven is a dispatcher without goroutines: whoever drives it calls what its loops would.
type Driven struct{ *Dispatcher }

// NewDriven makes a dispatcher that is driven. Its Run and its waits are not to be called.
func NewDriven(c Config, by Driver) Driven {
	d := New(c)
	d.driver = by
	d.steps.driven = by.Later
	d.hello.driven = func(agentID string, fn func()) { by.Later("hello "+agentID, fn) }
	return Driven{d}
}

// Recover reads what an earlier process left behind. It comes before all else.
func (d Driven) Recover(ctx context.Context) error { return d.recover(ctx) }

// Sweep does what is due each second.
func (d Driven) Sweep(ctx context.Context) { d.sweep(ctx) }

// Claim hands queued work to agents that have room. One claim is under way at a time.
func (d Driven) Claim(ctx context.Context) {
	for d.claim(ctx) {
	}
}

// Follow takes a hint from the bus; missed: others were lost before it.
func (d Driven) Follow(ctx context.Context, h bus.Hint, missed bool) {
	if missed {
		d.missed(ctx)
	}
	d.follow(ctx, h)
}

// LookAround does what is due each 30 s where there are several servers.
func (d Driven) LookAround(ctx context.Context) { d.lookAround(ctx) }

// Idle reports what must be nothing when nothing is under way: executions that sessions or absent agents are
// believed to hold, and credits that are reserved.
func (d Driven) Idle() (held, absent, reserved int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sessions {
		held += len(s.held)
		reserved += s.reserved
	}
	for _, a := range d.absent {
		absent += len(a.held)
	}
	return held, absent, reserved
}

// intN is one of n equals.
func (d *Dispatcher) intN(n int) int {
	if d.driver != nil {
		return d.driver.IntN(n)
	}
	return rand.IntN(n)
}

func (d *Dispatcher) newID(prefix string, now time.Time) string {
	if d.driver != nil {
		return d.driver.NewID(prefix, now)
	}
	return octopus.NewID(prefix, now)
}
