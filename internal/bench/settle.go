package bench

import (
	"context"
	"time"
)

// settle waits until the agents of a server have compiled what they were told to have ready, so that a load is measured
// and not the compiler beside it: until they and their children used less than a tenth of a core for two seconds, or
// for a minute at most. Where they run elsewhere it returns at once.
func settle(ctx context.Context, serverURL string) error {
	const every, quiet, limit = 500 * time.Millisecond, 4, time.Minute
	used := func() float64 {
		c := costs(serverURL)
		return c.Agents + c.Runners
	}
	before := used()
	if before == 0 {
		return nil
	}
	for in, end := 0, time.Now().Add(limit); in < quiet && time.Now().Before(end); {
		if !pause(ctx, every) {
			return ctx.Err()
		}
		now := used()
		if now-before < 0.1*every.Seconds() {
			in++
		} else {
			in = 0
		}
		before = now
	}
	return nil
}
