package agent

import (
	"sync"
	"time"
)

// wallClock counts on while the machine sleeps, on systems without a clock that does so: where the wall clock went
// further than the monotonic one, the machine slept (or the clock was set; then a lease ends early, which is safe).
// It may be called from any goroutine.
func wallClock() func() time.Duration {
	var at time.Duration
	last := time.Now()
	var mu sync.Mutex
	return func() time.Duration {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		step := now.Sub(last) // monotonic
		if wall := now.Round(0).Sub(last.Round(0)); wall > step+time.Second {
			step = wall
		}
		last = now
		at += max(step, 0)
		return at
	}
}
