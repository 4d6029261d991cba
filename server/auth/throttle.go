package auth

import (
	"sync"
	"time"

	"octopus/internal/octopus"
)

// Delays after failures. The first few cost nothing, for people mistype; then they double up to a limit that is
// short enough not to lock anybody out for long.
const (
	freeFailures = 5
	maxDelay     = 5 * time.Minute
	ipFree       = 30 // an address may speak for many people
)

// delayAfter is how long sign-in is refused after n failures in a row.
func delayAfter(n, free int) time.Duration {
	if n < free {
		return 0
	}
	return min(time.Second<<min(n-free, 16), maxDelay)
}

// tooSoon is the refusal during a delay; the same for users that exist and those that do not.
func tooSoon(left time.Duration) error {
	seconds := int((left + time.Second - 1) / time.Second)
	e := octopus.Errorf(octopus.CodeRateLimited, "Too many failed attempts. Try again in %d s.", seconds)
	e.RetryAfterSeconds = seconds
	return e
}

// maxThrottled bounds the throttle; when it is full, entries whose delay is over go first, then any.
const maxThrottled = 10_000

// throttle counts failures in memory, for what has no row of its own. It forgets on restart.
type throttle struct {
	mu *sync.Mutex
	by map[string]failures // guarded by mu
}

type failures struct {
	n     int
	until time.Time
	last  time.Time
}

func newThrottle() throttle { return throttle{mu: new(sync.Mutex), by: map[string]failures{}} }

// check refuses while a delay runs.
func (t throttle) check(key string, now time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if left := t.by[key].until.Sub(now); left > 0 {
		return tooSoon(left)
	}
	return nil
}

// memory is how long a failure counts.
const memory = time.Hour

// fail counts a failure.
func (t throttle) fail(key string, free int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.by[key]
	if now.Sub(f.last) > memory {
		f = failures{}
	}
	f.n, f.last = f.n+1, now
	f.until = now.Add(delayAfter(f.n, free))
	if len(t.by) >= maxThrottled {
		t.shrink(now)
	}
	t.by[key] = f
}

// reset forgets a key after a success.
func (t throttle) reset(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.by, key)
}

// sweep forgets failures that are too old to count.
func (t throttle) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, f := range t.by {
		if now.Sub(f.last) > memory {
			delete(t.by, key)
		}
	}
}

// shrink makes room; the caller holds mu.
func (t throttle) shrink(now time.Time) {
	for key, f := range t.by {
		if f.until.Before(now) {
			delete(t.by, key)
		}
	}
	for key := range t.by {
		if len(t.by) < maxThrottled {
			return
		}
		delete(t.by, key)
	}
}
