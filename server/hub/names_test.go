package hub

import (
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// TestHostNames: an agent that asks for no name is called by its host name, in plain characters.
func TestHostNames(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"büro-пк": "b-ro", "Web 1": "Web-1", "пк": "agent", "": "agent", "web-1.example": "web-1.example", strings.Repeat("x", 99) + "-y": strings.Repeat("x", 99),
	} {
		if got := agentName(wire.Enrol{Facts: octopus.Facts{Hostname: host}}); got != want {
			t.Errorf("the host %q is called %q, not %q", host, got, want)
		}
	}
}
