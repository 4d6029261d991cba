package agent

import "time"

// wallClock counts on while the machine sleeps, on systems without a clock that does so: where the wall clock went
// further than the monotonic one, the machine slept (or the clock was set; then a lease ends early, which is safe).
func wallClock() func() time.Duration {
	var at time.Duration
	last := time.Now()
	return func() time.Duration {
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
