package main

import (
	"strings"
	"testing"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/hosttest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params, reply string
		status        int
		code, message string
	}{
		"open":      {`{"host":"db","port":5432}`, `{"ok":true,"address":"10.0.0.5:5432","connect_ms":1.26}`, 200, "", "db:5432 accepts connections (1.3 ms)."},
		"ipv6":      {`{"host":"::1","port":22}`, `{"ok":true,"address":"[::1]:22"}`, 200, "", "[::1]:22 accepts"},
		"slow":      {`{"host":"db","port":1,"max_latency_ms":1}`, `{"ok":true,"connect_ms":5}`, 504, "too_slow", "over the limit of 1 ms"},
		"refused":   {`{"host":"db","port":1}`, `{"ok":false,"error":{"code":"refused","message":"x"}}`, 502, "refused", "Nothing listens on db:1"},
		"untrusted": {`{"host":"db","port":1,"tls":true}`, `{"ok":true,"tls":{"verified":false,"verify_error":"unknown authority","certificates":[{}]}}`, 502, "tls", "not trusted: unknown authority"},
		"denied":    {`{"host":"db","port":1}`, `{"error":{"code":"denied","message":"net to db:1 is not granted."}}`, 403, "denied", "Not allowed: net to db:1 is not granted."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosttest.Host{Replies: map[string]string{"tcp.probe": c.reply}}
			a := h.Run(t, plugin.Actions{"check": plugin.Action(check)}, "check", c.params)
			if a.StatusCode != c.status || a.Error.Code != c.code || !strings.Contains(a.Message, c.message) {
				t.Errorf("got %d %q %q, want %d %q …%q…", a.StatusCode, a.Error.Code, a.Message, c.status, c.code, c.message)
			}
		})
	}
}
