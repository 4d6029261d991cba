package catalog

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"disk-usage", "dns-lookup", "echo", "http-check", "noop", "system-info", "tcp-check", "tls-expiry"}
	for word, want := range map[string]string{
		"htpp-check": "http-check",
		"http":       "http-check",
		"HTTP-Check": "http-check",
		"ehco":       "echo",
		"check":      "http-check,tcp-check",
		"disk":       "disk-usage",
		"postgres":   "",
		"":           "",
	} {
		if got := strings.Join(nearest(word, names), ","); got != want {
			t.Errorf("%s: got %s, want %s", word, got, want)
		}
	}
}
