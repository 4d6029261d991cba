package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/hosttest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params        string
		left          time.Duration
		verified      bool
		status        int
		code, message string
	}{
		"good":       {`{"host":"x"}`, 100*24*time.Hour + time.Hour, true, 200, "", "The certificate of x:443 is good for 100 days"},
		"soon":       {`{"host":"x"}`, 25 * time.Hour, true, 417, "expires_soon", "expires in 1 day, on"},
		"no warning": {`{"host":"x","warn_days":0}`, 25 * time.Hour, true, 200, "", "good for 1 day"},
		"expired":    {`{"host":"x","warn_days":0}`, -time.Minute, false, 417, "expired", "expired on"},
		"untrusted":  {`{"host":"x","port":8443}`, 1000 * time.Hour, false, 417, "unverified", "x:8443 is not trusted: wrong name"},
		"never mind": {`{"host":"x","allow_unverified":true}`, 1000 * time.Hour, false, 200, "", "good for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reply := fmt.Sprintf(`{"ok":true,"tls":{"verified":%t,"verify_error":"wrong name","certificates":[{"subject":"CN=x","not_after":%q}]}}`,
				c.verified, time.Now().Add(c.left).UTC().Format(time.RFC3339))
			h := &hosttest.Host{Replies: map[string]string{"tcp.probe": reply}}
			a := h.Run(t, plugin.Actions{"check": plugin.Action(check)}, "check", c.params)
			if a.StatusCode != c.status || a.Error.Code != c.code || !strings.Contains(a.Message, c.message) {
				t.Errorf("got %d %q %q, want %d %q …%q…", a.StatusCode, a.Error.Code, a.Message, c.status, c.code, c.message)
			}
		})
	}
}

func TestNoCertificate(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{"tcp.probe": `{"ok":true}`}}
	if a := h.Run(t, plugin.Actions{"check": plugin.Action(check)}, "check", `{"host":"x"}`); a.StatusCode != 502 {
		t.Errorf("got %+v", a)
	}
}
