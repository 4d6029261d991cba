package main

import (
	"strings"
	"testing"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/hosttest"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	const mx = `{"records":[{"type":"MX","value":"a.example","preference":5},{"type":"MX","value":"b.example","preference":9}],"duration_ms":3}`
	for name, c := range map[string]struct {
		params, reply string
		status        int
		code, message string
	}{
		"one":         {`{"name":"x.example"}`, `{"records":[{"type":"A","value":"192.0.2.7"}]}`, 200, "", "A x.example is 192.0.2.7."},
		"several":     {`{"name":"x.example","type":"MX"}`, mx, 200, "", "MX x.example has 2 records."},
		"as expected": {`{"name":"x.example","type":"MX","expect":["A.example."]}`, mx, 200, "", ""},
		"not so":      {`{"name":"x.example","type":"MX","expect":["a.example","c.example"]}`, mx, 417, "unexpected_records", "c.example is missing."},
		"nothing":     {`{"name":"x.example"}`, `{"records":[],"error":{"code":"not_found","message":"x"}}`, 404, "not_found", "There is no A record of x.example."},
		"timeout":     {`{"name":"x.example"}`, `{"error":{"code":"timeout","message":"5 s passed."}}`, 504, "timeout", "did not answer in time: 5 s passed."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosttest.Host{Replies: map[string]string{"dns.lookup": c.reply}}
			a := h.Run(t, plugin.Actions{"lookup": plugin.Action(lookup)}, "lookup", c.params)
			if a.StatusCode != c.status || a.Error.Code != c.code || !strings.Contains(a.Message, c.message) {
				t.Errorf("got %d %q %q, want %d %q …%q…", a.StatusCode, a.Error.Code, a.Message, c.status, c.code, c.message)
			}
		})
	}
}
