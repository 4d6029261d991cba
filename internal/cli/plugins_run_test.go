package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// leaves is a module that reads a secret and hands files over: agent/testdata has its source.
const leaves = "../../agent/testdata/artifacts.wasm"

// TestRunModuleListsCalls: each host call is listed with its target and what became of it; the files that the module
// hands over are kept where --artifacts says, without the secret.
func TestRunModuleListsCalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	got := command(t, "", "plugins", "run", leaves, "--secret", "token=s3cret-value", "--artifacts", filepath.Join(dir, "kept"))
	if got.code != ExitFailed || !strings.Contains(got.err, "500 It failed.") {
		t.Fatalf("%+v", got)
	}
	for _, want := range []string{"host call secret.get token (", "host call artifact.put note.txt (", "host call artifact.put ../escape (", " ms): ok\n", " ms): invalid_request\n", "MiB peak, fuel: ", "host calls: 5\n"} {
		if !strings.Contains(got.err, want) {
			t.Errorf("%q is not in %s", want, got.err)
		}
	}
	note, err := os.ReadFile(filepath.Join(dir, "kept", "note.txt"))
	if err != nil || string(note) != "It is [secret token]." {
		t.Errorf("note.txt is %q, %v", note, err)
	}
	if strings.Contains(got.err+got.out, "s3cret-value") {
		t.Errorf("the secret is in %+v", got)
	}
}

// TestRunModuleAsJSON has the same calls, also where they come from a record.
func TestRunModuleAsJSON(t *testing.T) {
	t.Parallel()
	record := filepath.Join(t.TempDir(), "calls.jsonl")
	for _, args := range [][]string{{"--record", record}, {"--replay", record}} {
		got := command(t, "", append([]string{"plugins", "run", leaves, "-o", "json"}, args...)...)
		var result localResult
		if err := json.Unmarshal([]byte(got.out), &result); err != nil || got.code != ExitFailed {
			t.Fatalf("%v: %v, %+v", args, err, got)
		}
		calls := result.Usage.HostCalls
		if len(calls) != 5 || calls[0].Error != "denied" || calls[1].Op != "artifact.put" || calls[1].Target != "note.txt" || calls[1].Error != "" || calls[4].Error != "invalid_request" {
			t.Errorf("%v: %+v", args, calls)
		}
		if result.Usage.Fuel == 0 || result.Usage.PeakMemory == 0 {
			t.Errorf("%v: %s", args, got.out)
		}
	}
}

// TestRunModuleRepeats: with a clock and a seed two runs print the same, and a replay the same as what was recorded.
func TestRunModuleRepeats(t *testing.T) {
	t.Parallel()
	const moment = "../../wasmplugins/testdata/moment_response.wasm"
	record := filepath.Join(t.TempDir(), "calls.jsonl")
	same := func(args ...string) string {
		t.Helper()
		got := command(t, "", append([]string{"plugins", "run", moment}, args...)...)
		if got.code != ExitOK {
			t.Fatalf("%v: %+v", args, got)
		}
		return got.out
	}
	fixed := []string{"--clock", "2026-01-01T00:00:00Z", "--seed", "7"}
	first := same(fixed...)
	if again := same(fixed...); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	if other := same("--clock", "2026-01-01T00:00:00Z", "--seed", "8"); other == first {
		t.Errorf("another seed gives %s too", other)
	}
	recorded := same("--record", record)
	if replayed := same("--replay", record); replayed != recorded || recorded == first {
		t.Errorf("%s was recorded, and replayed %s", recorded, replayed)
	}
	for want, args := range map[string][]string{"--clock is": {"--clock", "noon"}, "--seed is": {"--seed", "-1"}} {
		if got := command(t, "", append([]string{"plugins", "run", moment}, args...)...); got.code != ExitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// TestCasesRepeat: a manifest's test case may say where the clock stands and what random numbers come from.
func TestCasesRepeat(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	raw, err := os.ReadFile("../../wasmplugins/testdata/moment_response.wasm")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "plugin.wasm"), raw, 0o644)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "plugin.yaml"), []byte(`
schema: octopus.plugin/v1
abi: 1
name: moment
version: 1.0.0
actions: [{name: now}]
tests:
  - {name: right, action: now, clock: 2026-01-01T00:00:00Z, seed: 7, expect: {result: [1767225600, 1996744206]}}
  - {name: wrong, action: now, clock: 2026-01-01T00:00:01Z, seed: 7, expect: {result: [1767225600, 1996744206]}}
`), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "moment.wasm")
	if got := command(t, "", "plugins", "pack", dir, "--out", out); got.code != ExitOK {
		t.Fatal(got)
	}
	got := command(t, "", "plugins", "test", out)
	if all := got.out + got.err; got.code != ExitFailed || !strings.Contains(all, "[1767225601,1996744206], not") {
		t.Errorf("%+v", got)
	}
}
