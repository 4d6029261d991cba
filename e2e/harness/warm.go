package harness

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
)

// EnvShared names a folder that the test processes of one `go test` share, and that whoever started it removes. What an
// agent compiles is put there once for all of them; without it each test process has its own.
const EnvShared = "OCTOPUS_TEST_SHARED"

// Compiling the built-in plugins takes an agent seconds of CPU. Tests start many agents, so one does it and the
// others begin with links to what it compiled.
var (
	warmOnce sync.Once
	warmed   string // what an agent compiled
)

// Seed gives a new agent's data folder what another compiled. The modules it downloads itself: those of the other agent
// are signed with another server's key.
func Seed(t testing.TB, data string) {
	t.Helper()
	Binary(t) // or the test is skipped
	warmOnce.Do(func() { warmed = warm(t) })
	if warmed == "" {
		return // it failed a test already; this agent compiles for itself
	}
	target := filepath.Join(data, "cache", "sandbox")
	if _, err := os.Stat(target); err == nil {
		return
	}
	if err := link(warmed, target); err != nil { // another disk: this agent compiles for itself
		os.RemoveAll(target)
	}
}

// warm returns what an agent compiled, perhaps that of another process.
func warm(t testing.TB) string {
	t.Helper()
	shared := os.Getenv(EnvShared)
	if shared == "" {
		folder, err := os.MkdirTemp("", "octopus-warm-")
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, folder)
		return compile(t, folder)
	}
	lock := flock.New(filepath.Join(shared, "warm.lock"))
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	result := filepath.Join(shared, "warm")
	if _, err := os.Stat(result); err == nil {
		return result
	}
	folder := filepath.Join(shared, "warming")
	if err := os.RemoveAll(folder); err != nil { // of a process that failed
		t.Fatal(err)
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(compile(t, folder), result); err != nil {
		t.Fatal(err)
	}
	return result
}

// compile runs one agent until it has compiled every plugin that the server names to it, and returns their folder.
func compile(t testing.TB, folder string) string {
	t.Helper()
	w := NewIn(t, folder)
	data := filepath.Join(folder, "agent")
	agent := Start(t, "warm", folder, "agent", "--server", w.URL, "--token", w.Admin.JoinToken, "--data", data)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(2 * Patience); ; {
		var said struct{ Prepared, Preparing int }
		raw, _ := os.ReadFile(filepath.Join(data, "status.json"))
		_ = json.Unmarshal(raw, &said) // nothing as long as there is no such file
		if said.Prepared > 0 && said.Preparing == 0 {
			break
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("an agent compiled %d modules, and not %d", said.Prepared, said.Preparing)
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
