package core

import (
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Lease is how long the agent may act without hearing of the server. The zero Lease covers nothing.
type Lease struct {
	held    bool
	at      time.Duration // when the last acknowledged heartbeat was sent
	offline time.Duration // the server's threshold
}

// Lease is the present one. It is a value: what runs beside the core is handed a copy after each step.
func (c *Core) Lease() Lease { return Lease{held: c.leased, at: c.leaseAt, offline: c.offline} }

// end is when the agent must have given an execution up. Where the server's times are so short that the margin would
// eat them, a third of them is the margin.
func (l Lease) end(o *wire.Offer) time.Duration {
	span := l.offline + lostAfter(o)
	return l.at + span - min(leaseMargin, span/3)
}

// Covers says whether an execution may be started.
func (l Lease) Covers(o *wire.Offer, now time.Duration) bool { return l.held && now < l.end(o) }

// Allows says whether a guest may still act on the world. Where another agent may have been given its execution it
// may not, from the very moment that the lease has ended: after the machine slept that is before anything was killed.
func (l Lease) Allows(o *wire.Offer, now time.Duration) bool {
	return o.OnLost != octopus.OnLostRetry || l.Covers(o, now)
}

// lostAfter is the silence that the server waits for before it gives an execution up.
func lostAfter(o *wire.Offer) time.Duration {
	switch {
	case o.LostAfterMS > 0:
		return time.Duration(o.LostAfterMS) * time.Millisecond
	case o.OnLost == octopus.OnLostRetry:
		return 90 * time.Second
	}
	return 15 * time.Minute
}

func (c *Core) leaseEnd(o *wire.Offer) time.Duration { return c.Lease().end(o) }

// mayStart says whether the lease covers an execution.
func (c *Core) mayStart(o *wire.Offer) bool { return c.Lease().Covers(o, c.now) }
