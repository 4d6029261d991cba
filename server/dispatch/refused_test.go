package dispatch

import (
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// TestRefusedModule: what an agent would not load is written into the plugin's history; what a guest only says of itself
// is not.
func TestRefusedModule(t *testing.T) {
	t.Parallel()
	x := octopus.Execution{Plugin: "web", PluginVersion: "1.0.0", Digest: "sha256:ab", AgentName: "web-01"}
	long := strings.Repeat("x", 1000)
	for _, c := range []struct {
		name    string
		code    string
		message string
		started time.Time
		usage   wire.Usage
		want    string
	}{
		{"untrusted", spec.CodeUntrusted, "Its signature is wrong.", time.Time{}, wire.Usage{DownloadUS: 5}, "Its signature is wrong."},
		{"other bytes", spec.CodeDigestMismatch, "Its digest differs.", time.Time{}, wire.Usage{}, "Its digest differs."},
		{"a long story", spec.CodeUntrusted, long, time.Time{}, wire.Usage{}, long[:maxRefused]},
		{"a guest that says so", spec.CodeUntrusted, "Nobody trusts me.", time.Time{}, wire.Usage{GuestUS: 1}, ""},
		{"a guest that had started", spec.CodeUntrusted, "Nobody trusts me.", noon, wire.Usage{}, ""},
		{"another failure", spec.CodeUnavailable, "There is no route.", time.Time{}, wire.Usage{}, ""},
	} {
		x := x
		x.StartedAt = c.started
		got := refusedModule(x, &outcome{Result: wire.Result{Usage: c.usage}}, &octopus.Reason{Code: c.code, Message: c.message})
		if (got == nil) != (c.want == "") {
			t.Errorf("%s: %+v", c.name, got)
			continue
		}
		want := octopus.PluginEvent{Plugin: "web", Version: "1.0.0", Digest: "sha256:ab", Kind: octopus.PluginModuleRefused, Actor: "web-01", Message: c.want}
		if got != nil && *got != want {
			t.Errorf("%s: %+v, want %+v", c.name, *got, want)
		}
	}
	if refusedModule(x, &outcome{}, nil) != nil {
		t.Error("a success is a refusal")
	}
}
