package main

import (
	"strings"
	"testing"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/hosttest"
)

func TestRun(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{"script.run": `{"stdout":"fine\n","duration_ms":2}`}}
	a := h.Run(t, plugin.Actions{"run": plugin.Action(run)}, "run", `{"interpreter":"sh","text":"echo $X","args":["a"],"env":{"X":"fine"}}`)
	if a.StatusCode != 200 || a.Message != "The script ended with exit code 0 after 2ms." {
		t.Errorf("%d %s", a.StatusCode, a.Message)
	}
	if got := string(h.Requests["script.run"][0]); got != `{"interpreter":"sh","text":"echo $X","args":["a"],"env":{"X":"fine"}}` {
		t.Errorf("asked %s", got)
	}
	if !strings.Contains(strings.Join(h.Logs, "|"), "7 bytes with sh|fine") || strings.Contains(h.Logs[0], "echo") {
		t.Errorf("logged %q", h.Logs)
	}
}
