package bundle

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// copyTree makes a small source folder with one Go plugin and noop.
func copyTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	from, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"sdk/plugin", "wasmplugins/builtin/internal", "wasmplugins/builtin/dns-lookup", "wasmplugins/builtin/noop"} {
		if err := os.CopyFS(filepath.Join(root, dir), os.DirFS(filepath.Join(from, dir))); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(root, "go.mod"), "module octopus\n\ngo 1.26.0\n")
	write(t, filepath.Join(root, "wasmplugins/builtin/builtin.go"), "package builtin\n")
	if err := os.Mkdir(filepath.Join(root, "wasmplugins/builtin/dist"), 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func build(t *testing.T, root string) map[string]Built {
	t.Helper()
	built, err := Build(t.Context(), Config{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Built{}
	for _, b := range built {
		out[b.Name] = b
	}
	return out
}

func TestBuildOnlyWhatChanged(t *testing.T) {
	t.Parallel()
	root := copyTree(t)
	first := build(t, root)
	if len(first) != 2 || !first["dns-lookup"].Fresh || !first["noop"].Fresh {
		t.Fatalf("first: %+v", first)
	}
	before, err := os.ReadFile(first["dns-lookup"].File)
	if err != nil {
		t.Fatal(err)
	}
	if again := build(t, root); again["dns-lookup"].Fresh || again["noop"].Fresh {
		t.Errorf("unchanged: %+v", again)
	}
	write(t, filepath.Join(root, "wasmplugins/builtin/dns-lookup/more_test.go"), "package main\n")
	if again := build(t, root); again["dns-lookup"].Fresh {
		t.Errorf("a test changed: %+v", again)
	}
	write(t, filepath.Join(root, "wasmplugins/builtin/dns-lookup/more.go"), "package main\n\nfunc init() { println() }\n")
	if again := build(t, root); !again["dns-lookup"].Fresh || again["noop"].Fresh {
		t.Errorf("a source changed: %+v", again)
	}
	if err := os.Remove(filepath.Join(root, "wasmplugins/builtin/dns-lookup/more.go")); err != nil {
		t.Fatal(err)
	}
	build(t, root)
	if after, err := os.ReadFile(first["dns-lookup"].File); err != nil || string(after) != string(before) {
		t.Errorf("equal sources made other bytes, %v", err)
	}
}

func TestBuildRefusals(t *testing.T) {
	t.Parallel()
	root := copyTree(t)
	if _, err := Build(t.Context(), Config{Root: root, Only: []string{"no-such"}}); err == nil {
		t.Error("an unknown plugin was built")
	}
	write(t, filepath.Join(root, "wasmplugins/builtin/dns-lookup/broken.go"), "package main\n\nfunc {\n")
	if _, err := Build(t.Context(), Config{Root: root, Only: []string{"dns-lookup"}}); err == nil {
		t.Error("a broken plugin was built")
	}
	write(t, filepath.Join(root, "wasmplugins/builtin/noop/plugin.yaml"), "schema: octopus.plugin/v1\nname: other\n")
	if _, err := Build(t.Context(), Config{Root: root, Only: []string{"noop"}}); err == nil {
		t.Error("a broken manifest was packed")
	}
}
