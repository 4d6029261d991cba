package wasmplugins

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// macOS has nothing that ends a child with its parent, and a guest that spins
// keeps the runner's own watch from seeing it. So each runner's process id and
// start time are written down, and the next pool kills what is left.

// recordRunner notes a runner; forget removes the note when it was reaped.
func recordRunner(dir string, pid int) (forget func()) {
	began, _, err := startTime(pid)
	if err != nil {
		return func() {}
	}
	path := filepath.Join(dir, strconv.Itoa(pid))
	if os.MkdirAll(dir, 0o700) != nil || os.WriteFile(path, []byte(began), 0o600) != nil {
		return func() {}
	}
	return func() { _ = os.Remove(path) }
}

// killRecorded kills the runners of a pool that died: they belong to launchd
// by now. A process id that is another process's has another start time.
func killRecorded(dir string) {
	notes, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, note := range notes {
		path := filepath.Join(dir, note.Name())
		pid, err := strconv.Atoi(note.Name())
		raw, readErr := os.ReadFile(path)
		if err == nil && readErr == nil && pid > 1 {
			began, parent, err := startTime(pid)
			same := err == nil && began == strings.TrimSpace(string(raw))
			if same && parent != 1 {
				continue // another pool on the same folder is alive
			}
			if same {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
		_ = os.Remove(path)
	}
}

// startTime says when a process began, and which is its parent.
func startTime(pid int) (began string, parent int, err error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return "", 0, err
	}
	t := info.Proc.P_starttime
	return fmt.Sprintf("%d.%06d", t.Sec, t.Usec), int(info.Eproc.Ppid), nil
}
