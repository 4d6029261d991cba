package main

import (
	"testing"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/hosttest"
)

func TestCollect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ reply, message string }{
		"all": {`{"hostname":"web-01","uptime_seconds":300000,"os":{"platform":"debian","version":"12","arch":"amd64"},"cpu":{"threads":8},
			"memory":{"total_bytes":17179869184},"load":{"one":1},"disks":[{"mount":"/"}]}`,
			"web-01: debian 12 on amd64, 8 threads, 16.0 GiB of memory, 1 disk, up 3 days."},
		"nothing":  {`{}`, "This machine: nothing was granted to tell."},
		"just up":  {`{"uptime_seconds":119}`, "This machine: up 1 minute."},
		"few":      {`{"memory":{"total_bytes":512}}`, "This machine: 512 B of memory."},
		"few more": {`{"memory":{"total_bytes":1536}}`, "This machine: 1.5 KiB of memory."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosttest.Host{Replies: map[string]string{"host.info": c.reply}}
			a := h.Run(t, plugin.Actions{"collect": plugin.Action(collect)}, "collect", `{}`)
			if a.StatusCode != 200 || a.Message != c.message {
				t.Errorf("got %d %q, want %q", a.StatusCode, a.Message, c.message)
			}
		})
	}
}

func TestDenied(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{"host.info": `{"error":{"code":"denied","message":"host.info was not granted."}}`}}
	a := h.Run(t, plugin.Actions{"collect": plugin.Action(collect)}, "collect", `{"parts":["os"]}`)
	if a.StatusCode != 403 || a.Message != "The agent does not tell: host.info was not granted." {
		t.Errorf("got %d %q", a.StatusCode, a.Message)
	}
	if got := string(h.Requests["host.info"][0]); got != `{"parts":["os"]}` {
		t.Errorf("asked %s", got)
	}
}
