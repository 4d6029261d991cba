package octopus

import (
	"testing"
	"time"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	for left, want := range map[time.Duration]time.Duration{
		400 * time.Millisecond: 0, 59*time.Second + 600*time.Millisecond: time.Minute, 89 * time.Second: time.Minute, 90 * time.Second: 2 * time.Minute,
		24*time.Hour - time.Second: 24 * time.Hour, 30*24*time.Hour - time.Second: 30 * 24 * time.Hour,
	} {
		if got := Nearest(left); got != want {
			t.Errorf("%s: %s, not %s", left, got, want)
		}
	}
}
