package cli_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"octopus/e2e/harness"
)

// TestPluginsDev edits a script as an author does, and waits for what becomes of it.
func TestPluginsDev(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	folder := t.TempDir()
	harness.Start(t, "new", folder, "plugins", "new", "--lang", "js", "greets").Wait()
	script := filepath.Join(folder, "greets", "plugin.js")
	good, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	dev := harness.Start(t, "plugins dev", folder, "plugins", "dev", "greets", "--param", "name=Ada", "--allow-all")
	dev.WaitLine("2 cases, 0 failed")
	dev.WaitLine("200 Hello, Ada.")
	dev.WaitLine("Watching greets.")

	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(script, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("export function greet() {\n  return missing;\n}\n")
	dev.WaitLine("plugin.js:2:10: ReferenceError: 'missing' is not defined")
	dev.WaitLine("2 cases, 2 failed")
	write(string(good) + "\nconsole.log('edited');\n")
	dev.WaitLine("edited")
	if runtime.GOOS == "windows" {
		return // where nothing can be asked to end
	}
	if code := dev.Stop(); code != 0 && code != 130 {
		t.Errorf("stopped with exit code %d", code)
	}
}
