//go:build !linux

package agent

import "time"

// newClock counts through suspend. It may be called from any goroutine.
func newClock() func() time.Duration { return wallClock() }
