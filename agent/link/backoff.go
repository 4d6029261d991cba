package link

import (
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"octopus/internal/wire"
)

// Times of the connect loop.
const (
	firstSpread = 2 * time.Second // the first retry comes anywhere within it
	shortest    = 500 * time.Millisecond
	longest     = 30 * time.Second
	calm        = 60 * time.Second // a connection that held this long makes the next retry a first one
	refusedMin  = 5 * time.Minute  // after a refusal that only a person can change
	refusedMax  = 10 * time.Minute
)

// Window is a time in which the server wants the agent back.
type Window struct{ Min, Max time.Duration }

// Backoff is how long an agent waits before it connects again. No refusal ends it for good.
type Backoff struct {
	failures int
	// Rand returns a number in [0, n). Defaults to math/rand/v2.
	Rand func(n int64) int64
}

// Next returns the wait after a connection that held for held (0: it never opened) and ended for cause. A window
// with Max > 0 wins over everything, a Retry-After over the rest.
func (b *Backoff) Next(cause error, held time.Duration, window Window) time.Duration {
	if held >= calm {
		b.failures = 0
	}
	b.failures++
	if window.Max > 0 {
		return b.between(window.Min, window.Max)
	}
	var refusal *Refused
	var none *NoUpgrade // what a proxy says is not the server's word
	if errors.As(cause, &refusal) && !errors.As(cause, &none) {
		switch {
		case refusal.RetryAfter > 0:
			return refusal.RetryAfter + b.between(0, refusal.RetryAfter/4+time.Second)
		case refusal.Status == http.StatusUnauthorized, refusal.Status == http.StatusForbidden,
			refusal.Status == http.StatusUpgradeRequired:
			return b.between(refusedMin, refusedMax)
		}
	}
	var closed *Closed
	if errors.As(cause, &closed) && (closed.Code == wire.CloseAuth || closed.Code == wire.CloseTooOld) {
		return b.between(refusedMin, refusedMax)
	}
	if b.failures == 1 {
		return b.between(0, firstSpread)
	}
	ceiling := longest
	if b.failures < 6 {
		ceiling = min(longest, firstSpread<<(b.failures-1))
	}
	return b.between(shortest, ceiling)
}

func (b *Backoff) between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	random := b.Rand
	if random == nil {
		random = rand.Int64N
	}
	return low + time.Duration(random(int64(high-low)))
}
