// Package cli_test types commands as people do, against one real `octopus dev`.
package cli_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"octopus/e2e/harness"
	"octopus/sdk"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

// access is the first line of `octopus dev --json`.
type access struct {
	URL       string `json:"url"`
	LoginURL  string `json:"login_url"`
	APIToken  string `json:"api_token"`
	JoinToken string `json:"join_token"`
}

// startDev starts the server that all scripts talk to, and returns its data folder.
func startDev(t *testing.T) (access, string) {
	t.Helper()
	folder := t.TempDir()
	harness.Seed(t, filepath.Join(folder, "octopus-data", "agent"))
	dev := harness.Start(t, "dev", folder, "dev", "--json", "--listen", "127.0.0.1:0", "--data", "octopus-data")
	var a access
	line := dev.WaitLine(`"login_url"`)
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		t.Fatalf("the first line is %q: %v", line, err)
	}
	if a.URL == "" || a.APIToken == "" || a.JoinToken == "" || !strings.HasPrefix(a.LoginURL, a.URL) {
		t.Fatalf("the first line is %q", line)
	}
	waitForAgent(t, a)
	return a, filepath.Join(folder, "octopus-data")
}

// waitForAgent returns when the local agent has connected.
func waitForAgent(t *testing.T, a access) {
	t.Helper()
	client := sdk.New(a.URL, a.APIToken)
	defer client.Close()
	for {
		o, err := client.Overview(t.Context())
		if err == nil && o.AgentsUp > 0 {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("no agent came: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestScripts runs testdata/*.txtar. Besides testscript's own commands they have "exits CODE octopus …", which
// wants an exit code (of a command that starts a run, after minutes if need be), "times N CODE octopus …", which wants it N times, "eventually CODE octopus …", which tries for a
// while, "until PATTERN octopus …", which tries until that is printed, and "id NAME PREFIX", which keeps the first id
// that the last command printed in $NAME.
func TestScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	binary := harness.Binary(t)
	a, data := startDev(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", filepath.Dir(binary)+string(os.PathListSeparator)+env.Getenv("PATH"))
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("BIN", filepath.Dir(binary))
			env.Setenv("GOCACHE", goCache())
			env.Setenv("NO_COLOR", "1")
			env.Setenv("OCTOPUS_CONTEXTS", filepath.Join(env.WorkDir, "contexts.json"))
			env.Setenv("OCTOPUS_URL", a.URL)
			env.Setenv("OCTOPUS_API_TOKEN", a.APIToken)
			env.Setenv("SERVER", a.URL)
			env.Setenv("TOKEN", a.APIToken)
			env.Setenv("JOIN", a.JoinToken)
			env.Setenv("DEV", data)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "times": times, "eventually": eventually, "until": until, "id": id,
		},
	})
}

// goCache is where this user's Go keeps what it compiled: scripts that build plugins have a HOME of their own.
func goCache() string {
	if dir := os.Getenv("GOCACHE"); dir != "" {
		return dir
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "go-build")
}

// exits runs a command and wants its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if got, want := exitCode(ts, neg, args); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// times runs a command so often, one after the other, and wants its exit code each time.
func times(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: times N CODE COMMAND…")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for range n {
		exits(ts, false, args[1:])
	}
}

// patience is how long what the server does by itself may take on a loaded machine.
const patience = 3 * time.Minute

// until runs a command until its output matches a pattern.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND…")
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	deadline, again := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for {
		ts.Check(ts.Exec(args[1], args[2:]...))
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			ts.Fatalf("not within %s: %s", patience, pattern)
		}
	}
}

// eventually runs a command until it has the exit code, for what is true a moment later: a status file is written
// twice a second.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	deadline, again := time.After(patience), time.NewTicker(50*time.Millisecond)
	defer again.Stop()
	for {
		got, want := exitCode(ts, neg, args)
		if got == want {
			return
		}
		select {
		case <-again.C:
		case <-deadline:
			ts.Fatalf("exit code %d, want %d", got, want)
		}
	}
}

func exitCode(ts *testscript.TestScript, neg bool, args []string) (got, want int) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = patiently(args)
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), want
	}
	ts.Check(err)
	return 0, want
}

// starts are the commands that start a run and wait for its end, 30 s long unless they are told otherwise. The first
// run of a plugin on a machine that has thirty other things to do takes longer.
var starts = regexp.MustCompile(`^octopus (run|(tasks?) run|(runs?|executions?) retry) `)

// patiently has a command that starts a run wait for minutes, where the script does not say how long.
func patiently(args []string) []string {
	line := strings.Join(args[1:], " ")
	if !starts.MatchString(line) || regexp.MustCompile(` (--wait|--detach|--follow|-f)\b`).MatchString(line) {
		return args
	}
	return append(slices.Clone(args), "--wait", (2 * patience).String())
}

// id keeps the first word of the last output that begins with a prefix such as run_.
func id(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: id NAME PREFIX")
	}
	for _, word := range strings.FieldsFunc(ts.ReadFile("stdout"), notInID) {
		if strings.HasPrefix(word, args[1]) {
			ts.Setenv(args[0], word)
			return
		}
	}
	ts.Fatalf("%s", fmt.Sprintf("no word begins with %s in the last output", args[1]))
}

func notInID(r rune) bool {
	return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
}
