//go:build linux

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octopus/e2e/harness"
	"octopus/sdk"
)

// growth is how much memory an agent may keep after hostile plugins (DESIGN §12), in KiB.
const growth = 32 << 10

// TestHostilePlugins packs, uploads and runs modules that want to do harm, through everything that a real one goes
// through. Each ends with its own error, the agent never goes away, keeps its memory small, and works on.
func TestHostilePlugins(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	agent := w.Agent("web-01")
	if got := w.Run(echo(map[string]any{"message": "before"})); got.Status != "succeeded" {
		t.Fatalf("before: %s", got.Status)
	}
	before := residentKiB(t, agent.PID())
	for _, tc := range []struct{ module, status, code string }{
		{"loop", "timed_out", "timeout"},
		{"exponential", "timed_out", "timeout"},
		{"start_loop", "timed_out", "timeout"},
		{"log_flood", "timed_out", "timeout"},
		{"memory_hog", "failed", "memory_limit"},
		{"table_hog", "failed", "trap"},
		{"recursion", "failed", "trap"},
		{"stdout_flood", "failed", "output_limit"},
		{"not_json", "failed", "invalid_response"},
	} {
		name, timeout := upload(t, w, tc.module), 60.0
		if tc.status == "timed_out" {
			timeout = 1
		}
		run := w.Run(sdk.StartRun{Work: sdk.Work{Plugin: name, Action: "run", TimeoutSeconds: timeout}})
		x, err := w.Client.Execution(t.Context(), run.Executions[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		code := ""
		if x.Reason != nil {
			code = x.Reason.Code
		}
		if x.Status != tc.status || code != tc.code {
			t.Errorf("%s ended as %s (%+v), want %s (%s)", tc.module, x.Status, x.Reason, tc.status, tc.code)
		}
		checkArtifact(t, w, x.ID, tc.module)
		if x.Response == nil || !strings.HasSuffix(x.Response.Message, ".") {
			t.Errorf("%s left no sentence: %+v", tc.module, x.Response)
		}
	}
	checkFuel(t, w)
	if got := w.Run(echo(map[string]any{"message": "after"})); got.Status != "succeeded" {
		t.Errorf("after: %s", got.Status)
	}
	if more := residentKiB(t, agent.PID()) - before; more > growth {
		t.Errorf("the agent grew by %d KiB, more than %d", more, growth)
	}
	sessions, err := w.Client.AgentSessions(t.Context(), "web-01")
	if err != nil || len(sessions.Items) != 1 {
		t.Errorf("the agent connected %d times, want once; %v", len(sessions.Items), err)
	}
}

// checkFuel: a task's limit ends a guest that would not end for minutes, and the execution says what it used.
func checkFuel(t *testing.T, w *harness.World) {
	t.Helper()
	const limit = 1_000_000
	run := w.Run(sdk.StartRun{Work: sdk.Work{Plugin: pluginName("loop"), Action: "run", TimeoutSeconds: 600, Fuel: limit}})
	x, err := w.Client.Execution(t.Context(), run.Executions[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if x.Status != "failed" || x.Reason == nil || x.Reason.Code != "out_of_fuel" || x.Usage == nil || x.Usage.Fuel != limit {
		t.Errorf("out of fuel it ended as %s (%+v) with %+v", x.Status, x.Reason, x.Usage)
	}
}

// checkArtifact: what was printed and is no response can be downloaded, and only that.
func checkArtifact(t *testing.T, w *harness.World, id, module string) {
	t.Helper()
	head, known := map[string]string{"not_json": "hello", "stdout_flood": ""}[module]
	list, err := w.Client.Artifacts(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if !known {
		if len(list.Items) > 0 {
			t.Errorf("%s left %+v", module, list.Items)
		}
		return
	}
	text, code := w.Octopus("executions", "download", id, "--artifact", "invalid-response.txt")
	if len(list.Items) != 1 || code != 0 || !strings.HasPrefix(text, head) {
		t.Errorf("%s left %+v; exit code %d, %.100q", module, list.Items, code, text)
	}
	if module == "stdout_flood" && !strings.Contains(text, "more bytes are left out.") {
		t.Errorf("%s: the end does not say that there was more: %.100q", module, text[max(len(text)-100, 0):])
	}
}

// TestModulesThatAreRefused never reach an agent: packing says why, and so does the server to who uploads them raw.
func TestModulesThatAreRefused(t *testing.T) {
	t.Parallel()
	w := harness.New(t)
	for module, want := range map[string]string{
		"bomb_nesting": "nests", "bomb_br_table": "jump table", "import_other": "imports", "no_memory": "memory",
	} {
		if _, out, code := pack(t, w, module); code == 0 || !strings.Contains(out, want) {
			t.Errorf("pack %s: exit code %d and %q, want a sentence with %q", module, code, out, want)
		}
		raw, err := os.ReadFile(corpus(module))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Client.UploadPlugin(t.Context(), raw); err == nil || !strings.Contains(describe(err), want) {
			t.Errorf("upload %s: %s, want a sentence with %q", module, describe(err), want)
		}
	}
	if _, err := w.Client.UploadPlugin(t.Context(), []byte("#!/bin/sh\necho hello\n")); err == nil || !strings.Contains(describe(err), "WebAssembly") {
		t.Errorf("a shell script: %s", describe(err))
	}
}

// upload packs and publishes a module of the hostile corpus, with more lines of its manifest, and returns its plugin's
// name.
func upload(t *testing.T, w *harness.World, module string, more ...string) string {
	t.Helper()
	file, out, code := pack(t, w, module, more...)
	if code == 0 {
		out, code = w.Octopus("plugins", "upload", file)
	}
	if code != 0 {
		t.Fatalf("publish %s: exit code %d\n%s", module, code, out)
	}
	return pluginName(module)
}

// corpus is the path of a module of the hostile corpus.
func corpus(module string) string {
	return filepath.Join("..", "wasmplugins", "testdata", module+".wasm")
}

// pack gives a module of the hostile corpus a manifest, and returns the packed file and what the command said.
func pack(t *testing.T, w *harness.World, module string, more ...string) (file, out string, code int) {
	t.Helper()
	raw, err := os.ReadFile(corpus(module))
	if err != nil {
		t.Fatal(err)
	}
	manifest := fmt.Sprintf(`schema: octopus.plugin/v1
abi: 1
name: %s
version: 1.0.0
description: A module that wants to do harm
author: tests
license: Apache-2.0
actions:
  - name: run
    description: Harm
    params: {type: object}
%s`, pluginName(module), strings.Join(more, ""))
	folder := t.TempDir()
	file = filepath.Join(folder, "plugin.wasm")
	for path, content := range map[string][]byte{file: raw, filepath.Join(folder, "plugin.yaml"): []byte(manifest)} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out, code = w.Octopus("plugins", "pack", file, "--manifest", filepath.Join(folder, "plugin.yaml"))
	return file, out, code
}

func pluginName(module string) string { return "hostile-" + strings.ReplaceAll(module, "_", "-") }

// residentKiB reads the memory of a process.
func residentKiB(t *testing.T, pid int) int {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		var kib int
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib
		}
	}
	t.Fatalf("no VmRSS of process %d", pid)
	return 0
}
