//go:build !linux

package agent

import "time"

// newClock counts through suspend. It is called from one goroutine.
func newClock() func() time.Duration { return wallClock() }
