//go:build !windows

package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octopus/e2e/harness"
	"octopus/sdk"
)

// TestProgramsOutsideTheSandbox: commands run where the owner of the agent named them, scripts where he started it to,
// and nothing else; a dry run says what it would have done, and does nothing.
func TestProgramsOutsideTheSandbox(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	marker := filepath.Join(w.Folder, "marker")
	policy := filepath.Join(w.Folder, "policy.yaml")
	text := `
capabilities:
  exec:
    greet: {command: [/bin/sh, -c, 'echo "$GREETING $1"', sh], args: ["[a-z]+"], env: {GREETING: hello}}
    mark: [/bin/sh, -c, ': > "$1"', sh, ` + marker + `]
  script: [sh]
`
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Agent("open", "--policy", policy, "--allow-scripts")
	w.Agent("plain")

	start := func(plugin, agent string, dry bool, params map[string]any) sdk.StartRun {
		return sdk.StartRun{Work: sdk.Work{Plugin: plugin, Action: "run", Params: sdk.JSON(params), DryRun: dry, Target: sdk.Target{Mode: "agent", Agent: agent}}}
	}
	if _, err := w.Client.StartRun(t.Context(), start("exec", "open", false, map[string]any{"command": "greet"})); err == nil || !strings.Contains(err.Error(), "outside the sandbox") {
		t.Fatalf("exec was granted by itself: %v", err)
	}
	for _, plugin := range []string{"exec", "script"} {
		if out, code := w.Octopus("plugins", "grant", plugin); code != 0 {
			t.Fatal(out)
		}
	}
	for name, c := range map[string]struct {
		plugin, agent string
		params        map[string]any
		status, says  string
	}{
		"a command":          {"exec", "open", map[string]any{"command": "greet", "args": []string{"ada"}}, "succeeded", `hello ada\n`},
		"an argument":        {"exec", "open", map[string]any{"command": "greet", "args": []string{"ADA"}}, "failed", "does not allow the argument"},
		"another command":    {"exec", "open", map[string]any{"command": "reboot"}, "failed", "does not allow the command reboot"},
		"a script":           {"script", "open", map[string]any{"interpreter": "sh", "text": "echo $WHO; exit 3", "env": map[string]string{"WHO": "bob"}}, "failed", `bob\n`},
		"another one":        {"script", "open", map[string]any{"interpreter": "perl", "text": "1"}, "failed", "scripts of perl"},
		"no commands named":  {"exec", "plain", map[string]any{"command": "greet"}, "rejected", "names no command"},
		"not started for it": {"script", "plain", map[string]any{"interpreter": "sh", "text": "true"}, "rejected", "--allow-scripts"},
	} {
		x := whole(t, w, w.Run(start(c.plugin, c.agent, false, c.params)))
		said := x.Message
		if x.Reason != nil {
			said += x.Reason.Message
		}
		if x.Response != nil {
			said += string(x.Response.Result)
		}
		if x.Status != c.status || !strings.Contains(said, c.says) || len(x.Intents) > 0 {
			t.Errorf("%s: %s, %s, %+v", name, x.Status, said, x.Intents)
		}
	}

	dry := whole(t, w, w.Run(start("exec", "open", true, map[string]any{"command": "mark"})))
	if dry.Status != "succeeded" || !dry.DryRun || len(dry.Intents) != 1 || dry.Intents[0].Message != "run the command mark" {
		t.Errorf("a dry run: %s, %+v", dry.Status, dry.Intents)
	}
	out, code := w.Octopus("run", "exec", "--agent", "open", "--param", "command=mark", "--dry-run")
	if code != 0 || !strings.Contains(out, "It would have done this") {
		t.Errorf("%d %s", code, out)
	}
	if _, err := os.Stat(marker); !os.IsNotExist(err) {
		t.Errorf("a dry run ran the command: %v", err)
	}
	w.Run(start("exec", "open", false, map[string]any{"command": "mark"}))
	if _, err := os.Stat(marker); err != nil {
		t.Errorf("and a real one does not: %v", err)
	}
}

// whole is a run's only execution, with all that lists leave out.
func whole(t *testing.T, w *harness.World, run sdk.Run) sdk.Execution {
	t.Helper()
	if len(run.Executions) != 1 {
		t.Fatalf("%d executions", len(run.Executions))
	}
	x, err := w.Client.Execution(t.Context(), run.Executions[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return x
}
