package cli

import (
	"strings"
	"testing"
	"time"

	"octopus/sdk"
)

// TestWatcher: what a run is followed by makes sense, whichever event comes late, twice or not at all.
func TestWatcher(t *testing.T) {
	t.Parallel()
	queued := sdk.Execution{ID: "exe_1", Status: "queued", Waiting: &sdk.Waiting{Message: "No agent is free."}}
	offered := sdk.Execution{ID: "exe_1", Status: "offered", AgentName: "web-01"}
	running := sdk.Execution{ID: "exe_1", Status: "running", AgentName: "web-01", Attempt: 1, StartedAt: time.Now()}
	again := sdk.Execution{ID: "exe_1", Status: "queued", Attempt: 1, Waiting: &sdk.Waiting{Message: "Trying again in 10 s."}}
	ended := running
	ended.Status = "succeeded"
	expired := sdk.Execution{ID: "exe_1", Status: "expired"}
	const waits, offer, runs, end = "==> queued: No agent is free.", "==> offered on web-01", "==> running on web-01", "==> succeeded"
	for name, c := range map[string]struct{ events, want []any }{
		"all of it":              {[]any{queued, offered, running, "a", "b", ended}, []any{waits, offer, runs, "a", "b", end}},
		"twice":                  {[]any{queued, queued, running, running, ended, ended}, []any{waits, runs, end}},
		"a line comes first":     {[]any{queued, offered, "a", running, ended}, []any{waits, offer, runs, "a", end}},
		"a line before all":      {[]any{queued, "a", offered, running, ended}, []any{waits, "==> running", "a", runs, end}},
		"running was never told": {[]any{offered, ended}, []any{offer, runs, end}},
		"a line after the end":   {[]any{offered, ended, "a"}, []any{offer, runs, end, "a"}},
		"late news":              {[]any{offered, running, offered, ended, running}, []any{offer, runs, end}},
		"another attempt":        {[]any{running, "a", again, ended}, []any{runs, "a", "==> queued: Trying again in 10 s.", end}},
		"never started":          {[]any{queued, expired}, []any{waits, "==> expired"}},
	} {
		var out strings.Builder
		w := &watcher{out: &out, shown: map[string]sdk.Execution{}, ran: map[string]bool{}, tails: map[string]bool{"exe_1": true}}
		for _, e := range c.events {
			switch e := e.(type) {
			case sdk.Execution:
				w.see(e)
			case string:
				w.line("exe_1", e)
			}
		}
		var want strings.Builder
		for _, line := range c.want {
			want.WriteString(line.(string) + "\n")
		}
		if out.String() != want.String() {
			t.Errorf("%s:\n%s\nnot\n%s", name, out.String(), want.String())
		}
	}
}
