//go:build linux

package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"octopus/e2e/harness"
	"octopus/internal/stall"
	"octopus/sdk"
)

// TestPortInUse says which address, and what to do.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := harness.Start(t, "server", t.TempDir(), "server", "--listen", ln.Addr().String())
	if code := p.Wait(); code == 0 {
		t.Error("exit code 0")
	}
	out := strings.Join(p.Lines(), "\n")
	if !strings.Contains(out, ln.Addr().String()+" is in use") || !strings.Contains(out, "--listen") {
		t.Errorf("printed:\n%s", out)
	}
}

// TestUnreadableDatabase refuses a file that is no database, and leaves it as it was.
func TestUnreadableDatabase(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := filepath.Join(folder, "octopus.db")
	const content = "this is a shopping list, and much longer than a hundred bytes so that nobody takes it for an empty database file: milk, bread, cheese"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, "server", folder, "server", "--listen", "127.0.0.1:0", "--data", folder)
	if code := p.Wait(); code == 0 {
		t.Error("exit code 0")
	}
	out := strings.Join(p.Lines(), "\n")
	if !strings.Contains(out, "octopus.db") || strings.Contains(out, "goroutine") {
		t.Errorf("printed:\n%s", out)
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != content {
		t.Errorf("the file was changed: %q, %v", after, err)
	}
}

// recovery is within what time after space has returned everything goes on by itself, on a machine that answers at once.
const recovery = 5 * time.Second

// TestServerDiskFull fills the server's disk: writes are refused with 507 and a sentence, reads and pages work, what
// ran meanwhile keeps its result, and within 5 s of space returning all of it goes on, without a restart.
func TestServerDiskFull(t *testing.T) {
	t.Parallel()
	disk := tmpfs(t, "64m")
	w := harness.NewIn(t, disk)
	agent := filepath.Join(t.TempDir(), "agent")
	w.Agent("web-01", "--data", agent)
	if got := w.Run(echo(map[string]any{"message": "before"})); got.Status != "succeeded" {
		t.Fatalf("before: %s", got.Status)
	}
	meanwhile := w.Running(echo(map[string]any{"message": "meanwhile", "delay_seconds": 12, "log_lines": 24}))
	ballast := fill(t, disk)
	var refused error
	for range 2000 { // what is left of the write-ahead log takes a few
		if _, refused = w.Client.StartRun(t.Context(), echo(map[string]any{"message": strings.Repeat("x", 2000)}), sdk.WithIdempotencyKey("")); refused != nil {
			break
		}
	}
	var problem *sdk.Error
	if !errors.As(refused, &problem) || problem.Status != http.StatusInsufficientStorage || problem.Code != "no_space" || !strings.Contains(problem.Message, "disk of the database is full") {
		t.Errorf("a full disk was answered with %v", refused)
	}
	if _, err := w.Client.Agents(t.Context(), sdk.AgentFilter{}); err != nil {
		t.Errorf("reading with a full disk: %v", err)
	}
	if status := statusOf(t, w, "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d", status)
	}
	if status := statusOf(t, w, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d", status)
	}
	w.Until("the plugin that ran meanwhile has ended", func(context.Context) bool {
		raw, _ := os.ReadFile(filepath.Join(agent, "journal"))
		return ended(raw, meanwhile.Executions[0].ID)
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	stalled, back := stall.Watch(t), time.Now()
	w.Until("the server says that it is ready", func(context.Context) bool { return statusOf(t, w, "/readyz") == http.StatusOK })
	ready := time.Since(back)
	if _, err := w.Client.StartRun(t.Context(), echo(map[string]any{"message": "after"})); err != nil {
		t.Errorf("writing once it is ready: %v", err)
	}
	got := w.Ended(meanwhile.ID)
	all := time.Since(back)
	if got.Status != "succeeded" || got.Executions[0].Attempt != 1 {
		t.Errorf("what ran meanwhile: %s %+v", got.Status, got.Executions)
	}
	if limit := recovery + stalled(); ready > limit || all > limit {
		t.Errorf("ready %s and the waiting result recorded %s after space was back, not within %s", ready, all, limit)
	}
	t.Logf("ready after %s, the waiting result recorded after %s", ready, all)
}

// ended says whether a journal has the result of an execution that succeeded. A record of it is JSON with the execution
// first and its outcome a few words on, between lengths and checksums.
func ended(journal []byte, execution string) bool {
	for rest := journal; ; {
		_, after, ok := bytes.Cut(rest, []byte(`{"execution":"`+execution+`"`))
		if !ok {
			return false
		}
		if bytes.Contains(after[:min(len(after), 100)], []byte(`"outcome":"succeeded"`)) {
			return true
		}
		rest = after
	}
}

func statusOf(t *testing.T, w *harness.World, path string) int {
	t.Helper()
	res, err := http.Get("http://" + w.Address + path)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// tmpfs mounts a small disk of its own. It needs root, which CI has.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		if os.Getenv("OCTOPUS_CI") != "" {
			t.Fatalf("mount a small disk: %v", err)
		}
		t.Skip("SKIPPED: a full disk needs root to mount a small one")
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// fill writes a file until the disk is full, and returns its path.
func fill(t *testing.T, disk string) string {
	t.Helper()
	path := filepath.Join(disk, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return path
}

// TestAgentDiskFull fills an agent's disk: it takes nothing new and says why, and goes on when space is back.
func TestAgentDiskFull(t *testing.T) {
	t.Parallel()
	disk := tmpfs(t, "400m")
	w := harness.New(t)
	w.Agent("web-01", "--data", filepath.Join(disk, "agent"))
	if got := w.Run(echo(map[string]any{"message": "before"})); got.Status != "succeeded" {
		t.Fatalf("before: %s", got.Status)
	}
	ballast := fill(t, disk)
	run, err := w.Client.StartRun(t.Context(), echo(map[string]any{"message": "patient"}))
	if err != nil {
		t.Fatal(err)
	}
	var events sdk.Page[sdk.Event]
	w.Until("the agent has refused it for want of space", func(ctx context.Context) bool {
		events, err = w.Client.ExecutionEvents(ctx, run.Executions[0].ID)
		return err == nil && slices.ContainsFunc(events.Items, func(e sdk.Event) bool { return strings.Contains(e.Message, "no room on its disk") })
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if got := w.Ended(run.ID); got.Status != "succeeded" {
		t.Errorf("after: %s %+v", got.Status, got.Executions)
	}
	if events, err = w.Client.ExecutionEvents(t.Context(), run.Executions[0].ID); err != nil || len(events.Items) > 100 {
		t.Errorf("%d lines of timeline for one wait, %v", len(events.Items), err)
	}
}
