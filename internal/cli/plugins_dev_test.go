package cli

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"octopus/sdk"
)

func TestNextDev(t *testing.T) {
	t.Parallel()
	known := []sdk.PluginVersion{{Version: "1.2.0"}, {Version: "1.2.0-dev.2"}, {Version: "1.2.0-dev.10"}, {Version: "1.3.0-dev.40"}, {Version: "1.2.0-dev.x"}}
	for version, want := range map[string]string{
		"1.2.0":      "1.2.0-dev.11",
		"1.4.0":      "1.4.0-dev.1",
		"1.2.0-rc.1": "1.2.0-rc.1.dev.1",
	} {
		if got := nextDev(version, known); got != want {
			t.Errorf("after %s comes %s, want %s", version, got, want)
		}
	}
}

// TestWatchFolder changes files, also in folders that were not there before, until the watcher speaks.
func TestWatchFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(time.Now().String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("src/main.js")
	w, err := watchFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, name := range []string{"plugin.js", "src/main.js", "new/other.js"} {
		write(name)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if err := w.wait(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

func TestQuiet(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"a/plugin.js": false, "a/src": false, "a/plugin.yaml": false,
		"a/x.wasm": true, "a/.plugin.js.swp": true, "a/main.c~": true, "a/node_modules": true, "a/target": true,
	} {
		if quiet(path) != want {
			t.Errorf("%s: want %v", path, want)
		}
	}
}
