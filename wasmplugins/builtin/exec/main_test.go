package main

import (
	"strings"
	"testing"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/hosttest"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		reply, params string
		status        int
		code, says    string
	}{
		"fine":          {`{"exit_code":0,"stdout":"a\nb\n","duration_ms":3}`, `{"command":"x"}`, 200, "", "exit code 0 after 3ms"},
		"its own codes": {`{"exit_code":3}`, `{"command":"x","ok_codes":[3]}`, 200, "", "exit code 3"},
		"0 is not one":  {`{"exit_code":0}`, `{"command":"x","ok_codes":[3]}`, 500, "exit_code", "exit code 0"},
		"fails":         {`{"exit_code":1,"stdout":"out\n","stderr":"one\ntwo.\n\n"}`, `{"command":"x"}`, 500, "exit_code", "exit code 1 after 0s: two."},
		"fails silent":  {`{"exit_code":1}`, `{"command":"x"}`, 500, "exit_code", "exit code 1 after 0s."},
		"signal":        {`{"exit_code":-1,"signal":"killed"}`, `{"command":"x"}`, 500, "signal", "killed"},
		"denied":        {`{"error":{"code":"denied","message":"No."}}`, `{"command":"x"}`, 403, "denied", "No."},
		"timeout":       {`{"exit_code":-1,"signal":"killed","stdout":"x","error":{"code":"timeout","message":"Killed."}}`, `{"command":"x"}`, 504, "timeout", "Killed."},
		"not started":   {`{"error":{"code":"not_started","message":"No program."}}`, `{"command":"x"}`, 502, "not_started", "No program."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosttest.Host{Replies: map[string]string{"exec.run": c.reply}}
			a := h.Run(t, plugin.Actions{"run": plugin.Action(run)}, "run", c.params)
			if a.StatusCode != c.status || a.Error.Code != c.code || !strings.Contains(a.Message, c.says) {
				t.Errorf("%d %s %s", a.StatusCode, a.Error.Code, a.Message)
			}
		})
	}
}

func TestWhatIsAskedAndLogged(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{"exec.run": `{"stdout":"a\r\nb","stderr":"c\n"}`}}
	h.Run(t, plugin.Actions{"run": plugin.Action(run)}, "run", `{"command":"restart","args":["web-3"],"timeout_seconds":5,"stdin":"in"}`)
	if got := string(h.Requests["exec.run"][0]); got != `{"name":"restart","args":["web-3"],"stdin":"in","timeout_seconds":5}` {
		t.Errorf("asked %s", got)
	}
	if got := strings.Join(h.Logs, "|"); got != "running the command restart web-3|a|b|c" {
		t.Errorf("logged %s", got)
	}
}

// A long output stays in the log, and its head in the result.
func TestLongOutput(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{"exec.run": `{"stdout":"x` + strings.Repeat("é", 50_000) + `"}`}}
	a := h.Run(t, plugin.Actions{"run": plugin.Action(run)}, "run", `{"command":"x"}`)
	if len(a.Result) > 70_000 || !strings.Contains(string(a.Result), `é","stdout_truncated":true`) || len(h.Logs[1]) != 100_001 {
		t.Errorf("%d bytes of result, %d of log, %.100s", len(a.Result), len(h.Logs[1]), a.Result[len(a.Result)-100:])
	}
}
