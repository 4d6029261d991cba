package harness

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Compiling the built-in plugins takes an agent seconds of CPU. Tests start many agents, so one does it and the
// others begin with links to what it compiled.
var (
	warmOnce sync.Once
	warmed   string // what an agent compiled
)

// seed gives a new agent's data folder what another compiled. The modules it downloads itself: those of the other agent
// are signed with another server's key.
func seed(t testing.TB, data string) {
	t.Helper()
	warmOnce.Do(func() { warmed = warm(t) })
	target := filepath.Join(data, "cache", "sandbox")
	if _, err := os.Stat(target); err == nil {
		return
	}
	if err := link(warmed, target); err != nil { // another disk: this agent compiles for itself
		os.RemoveAll(target)
	}
}

// warm runs one agent until it has compiled every plugin that the server names to it.
func warm(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "octopus-warm-")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, folder)
	w := NewIn(t, folder)
	data := filepath.Join(folder, "agent")
	agent := Start(t, "warm", folder, "agent", "--server", w.URL, "--token", w.Admin.JoinToken, "--data", data)
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		modules, _ := filepath.Glob(filepath.Join(data, "cache", "modules", "*.wasm"))
		compiled, _ := filepath.Glob(filepath.Join(data, "cache", "sandbox", "compiled", "*", "*"))
		if len(modules) > 1 && len(modules) == len(compiled) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("an agent compiled %d of %d modules", len(compiled), len(modules))
		}
	}
	agent.Stop()
	w.Server.Stop()
	return filepath.Join(data, "cache", "sandbox")
}

// link makes a copy of a folder whose files are links to the originals.
func link(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return fmt.Errorf("path below %s: %w", from, err)
		}
		if d.IsDir() {
			return folderLike(d, filepath.Join(to, name))
		}
		return os.Link(path, filepath.Join(to, name))
	})
}

// folderLike makes a folder with the mode of another: runners, which have a user of their own, read what is compiled.
func folderLike(d fs.DirEntry, path string) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return os.Chmod(path, info.Mode())
}
