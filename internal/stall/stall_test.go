package stall

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestNothingOnAnIdleMachine has a clock of its own, where every goroutine runs when it should.
func TestNothingOnAnIdleMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stalled := Watch(t)
		time.Sleep(time.Minute)
		if got := stalled(); got != 0 {
			t.Errorf("%s", got)
		}
	})
}
