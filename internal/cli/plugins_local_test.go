package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// workshop is an author's folder with the smallest module and its manifest.
func workshop(t *testing.T) (dir, wasm string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"noop.wasm", "plugin.yaml"} {
		raw, err := os.ReadFile(filepath.Join("../../wasmplugins/builtin/noop", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir, filepath.Join(dir, "noop.wasm")
}

func TestPackAndInspect(t *testing.T) {
	t.Parallel()
	dir, wasm := workshop(t)
	if got := command(t, "", "plugins", "inspect", wasm); got.code != ExitFailed || !strings.Contains(got.out, "octopus plugins pack") {
		t.Errorf("without a manifest: %+v", got)
	}
	if got := command(t, "", "plugins", "pack", dir); got.code != ExitOK || !strings.Contains(got.err, "Packed noop 1.0.0 into") {
		t.Fatalf("pack: %+v", got)
	}
	once, err := os.ReadFile(wasm)
	if err != nil {
		t.Fatal(err)
	}
	got := command(t, "", "plugins", "inspect", wasm)
	for _, want := range []string{"noop 1.0.0", "Action", "run", "Asks for", "nothing", "passed"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("inspect does not say %q: %+v", want, got)
		}
	}
	var report inspection
	if got := command(t, "", "plugins", "inspect", wasm, "-o", "json"); json.Unmarshal([]byte(got.out), &report) != nil || report.Manifest.Name != "noop" || report.Size != len(once) {
		t.Errorf("json: %+v", got)
	}
	out := filepath.Join(dir, "again.wasm")
	if got := command(t, "", "plugins", "pack", wasm, "--out", out); got.code != ExitOK {
		t.Fatalf("pack again: %+v", got)
	}
	if twice, err := os.ReadFile(out); err != nil || !bytes.Equal(once, twice) {
		t.Errorf("packing twice made other bytes, %v", err)
	}
}

func TestPackRefusals(t *testing.T) {
	t.Parallel()
	dir, wasm := workshop(t)
	manifest := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(manifest, []byte("schema: octopus.plugin/v1\nname: N\nactions: []\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := command(t, "", "plugins", "pack", wasm, "--manifest", manifest)
	if got.code != ExitUsage || strings.Count(got.err, manifest) < 3 {
		t.Errorf("each problem on a line: %+v", got)
	}
	for _, args := range [][]string{
		{"pack", filepath.Join(dir, "missing")},
		{"pack", wasm, "--manifest", filepath.Join(dir, "missing.yaml")},
		{"inspect", "noop"},
		{"inspect", dir},
		{"inspect", manifest},
		{"run", "noop"},
		{"test", wasm},
		{"run"},
	} {
		if got := command(t, "", append([]string{"plugins"}, args...)...); got.code != ExitUsage || got.err == "" {
			t.Errorf("%v: %+v", args, got)
		}
	}
}

// Faults of the command line are found before a sandbox is started.
func TestRunModuleRefusals(t *testing.T) {
	t.Parallel()
	dir, wasm := workshop(t)
	if got := command(t, "", "plugins", "pack", dir); got.code != ExitOK {
		t.Fatal(got)
	}
	for want, args := range map[string][]string{
		"--action must be one of: run.":               {"--action", "walk"},
		"x is not a parameter":                        {"--param", "x=1"},
		"--params must be one JSON object":            {"--params", "[]"},
		"is not a size such as":                       {"--memory", "lots"},
		"takes no configuration":                      {"--config", "{}"},
		"--config must be one JSON object":            {"--config", "{"},
		`--timeout is "soon", but must be a duration`: {"--timeout", "soon"},
		"--output is \"xml\", but must be":            {"-o", "xml"},
		"has no flag --allow-the-internet":            {"--allow-the-internet"},
	} {
		if got := command(t, "", append([]string{"plugins", "run", wasm}, args...)...); got.code != ExitUsage || !strings.Contains(got.err, want) {
			t.Errorf("%v: %+v", args, got)
		}
	}
}
