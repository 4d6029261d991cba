package agent

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octopus/agent/core"
	"octopus/internal/disk"
	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func fileOp(name, value string) spec.Operation {
	raw, _ := json.Marshal(value)
	return spec.Operation{Type: spec.OpFile, Name: name, Value: raw}
}

func TestOutputNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := outputs{disk.Root(openRoot(t, dir))}
	o := offer("x")
	for _, name := range []string{"", ".", "..", "a/b", `a\b`, "../x", "/etc/x", "a\x00b", "CON", "nul.txt", "a.", stagePrefix + "x", strings.Repeat("n", 300)} {
		if err := f.stage(o, []spec.Operation{fileOp("good", "x"), fileOp(name, "x")}); err == nil {
			t.Errorf("%q was written", name)
		}
		if _, err := os.Stat(filepath.Join(dir, stageDir(o))); err == nil {
			t.Errorf("%q: all or none, but some stayed", name)
		}
	}
	for _, task := range []string{"", "../..", "late", "tsk_../../x"} {
		o.Task = task
		if taskDir(o) != dirAdhoc {
			t.Errorf("the task %q writes into %q", task, taskDir(o))
		}
	}
}

// A link that someone put into the folder does not lead out of it.
func TestOutputsStayInside(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	f := outputs{disk.Root(openRoot(t, dir))}
	o := offer("x")
	if err := os.Symlink(outside, filepath.Join(dir, o.Task)); err != nil {
		t.Fatal(err)
	}
	if err := f.stage(o, []spec.Operation{fileOp("a", "x")}); err == nil {
		t.Error("wrote through a link")
	}
	if list, _ := os.ReadDir(outside); len(list) != 0 {
		t.Errorf("outside: %v", list)
	}
}

func TestOutputQuota(t *testing.T) {
	t.Parallel()
	f := outputs{disk.Root(openRoot(t, t.TempDir()))}
	o := offer("x")
	big := strings.Repeat("x", folderQuota/2)
	for i, step := range []struct {
		ops []spec.Operation
		ok  bool
	}{
		{[]spec.Operation{fileOp("a", big)}, true},
		{[]spec.Operation{fileOp("a", big), fileOp("b", big[:100])}, true}, // a replaces itself
		{[]spec.Operation{fileOp("c", big)}, false},
		{[]spec.Operation{fileOp("d", "x"), fileOp("e", big)}, false},
	} {
		o.Fence = int64(i + 1)
		if err := f.stage(o, step.ops); (err == nil) != step.ok {
			t.Errorf("step %d: %v", i, err)
		}
		if err := f.commit(o); err != nil {
			t.Error(err)
		}
		if err := f.commit(o); err != nil {
			t.Errorf("a second commit: %v", err)
		}
	}
}

func TestLateResultsAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := outputs{disk.Root(openRoot(t, dir))}
	var last string
	for i := range lateFiles + 20 {
		last = fmt.Sprintf("exe_%04d", i)
		o := &wire.Offer{Execution: last, Fence: 1}
		if err := f.late(o, core.File{Key: core.Key{Execution: last, Fence: 1}, Why: "stale"}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := os.ReadDir(filepath.Join(dir, dirLate))
	if err != nil || len(list) > lateFiles || list[len(list)-1].Name() != last+".1.json" {
		t.Errorf("%d files, %v", len(list), err)
	}
}

func TestIdentityFilesDamaged(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	data := t.TempDir()
	_, stop := startAgent(t, h, func(c *Config) { c.Data = data })
	h.peer(nil)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, fileKey), []byte("xyz"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{Server: h.web.URL, Token: "join", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); octopus.CodeOf(err) != octopus.CodeInvalid || !strings.Contains(err.Error(), "join token") {
		t.Errorf("%v", err)
	}
}
