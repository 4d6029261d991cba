package server

import (
	"testing"
	"time"
)

// TestElapsed measures a lease on a machine that is awake, and on one that slept.
func TestElapsed(t *testing.T) {
	t.Parallel()
	from := time.Now()
	to := from.Add(5 * time.Second)
	asleep := to.Round(0).Add(time.Minute)
	if got := elapsed(from, to); got != 5*time.Second {
		t.Errorf("awake: %s", got)
	}
	if got := elapsed(from, asleep); got != 65*time.Second {
		t.Errorf("asleep: %s", got)
	}
}
