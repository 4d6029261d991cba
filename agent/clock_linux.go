package agent

import (
	"time"

	"golang.org/x/sys/unix"
)

// newClock counts from the start of the machine, through suspend. It may be called from any goroutine.
func newClock() func() time.Duration {
	fallback := wallClock()
	return func() time.Duration {
		var ts unix.Timespec
		if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
			return fallback()
		}
		return time.Duration(ts.Nano())
	}
}
