package broker

import (
	"context"
	"time"

	"golang.org/x/time/rate"
)

// limits of one execution per capability: calls a second, how many at once, and in all.
var limits = map[string]struct {
	perSecond rate.Limit
	burst     int
	total     int
}{
	"http":     {20, 20, 50},
	"net":      {50, 50, 1000},
	"host":     {5, 10, 1000},
	"files":    {200, 200, 10_000},
	"exec":     {5, 10, 100},
	"script":   {5, 10, 100},
	"kv":       {200, 200, 10_000},
	"cache":    {200, 200, 10_000},
	"artifact": {200, 200, 10_000},
	"secrets":  {20, 20, 100},
}

// patience is how long a call is held back before it is refused.
const patience = time.Second

// rated counts the calls of one capability.
type rated struct {
	limiter *rate.Limiter
	left    int
}

// slow holds a call back where its capability is used too fast, and refuses it where that would take too long.
func (b *Broker) slow(ctx context.Context, capability string) *Error {
	limit := limits[capability]
	r := b.rates[capability]
	if r == nil {
		r = &rated{rate.NewLimiter(limit.perSecond, limit.burst), limit.total}
		b.rates[capability] = r
	}
	if r.left == 0 {
		return errorf("quota", "An execution may make %d %s calls, and these are used up.", limit.total, capability)
	}
	r.left--
	reservation := r.limiter.Reserve()
	wait := reservation.Delay()
	if wait == 0 {
		return nil
	}
	if wait > patience {
		reservation.Cancel()
		return errorf("rate_limited", "Too many %s calls at a time. Slow down.", capability)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		reservation.Cancel()
		return errorf("cancelled", "The execution is being cancelled.")
	}
}
