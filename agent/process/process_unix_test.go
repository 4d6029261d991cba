//go:build !windows

package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is more than any of these programs takes, also on a machine that does much else.
const patience = time.Minute

// shell runs a line of sh.
func shell(t *testing.T, line string, change func(*Spec)) Result {
	t.Helper()
	s := Spec{Argv: []string{"/bin/sh", "-c", line}, Output: 1 << 20, Timeout: patience}
	if change != nil {
		change(&s)
	}
	r, err := Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRun(t *testing.T) {
	t.Parallel()
	r := shell(t, `cat; echo "$NAME" >&2; pwd; exit 3`, func(s *Spec) {
		s.Stdin, s.Env, s.Dir = []byte("in "), []string{"NAME=ada"}, "/usr"
	})
	if r.ExitCode != 3 || string(r.Stdout.Bytes) != "in /usr\n" || string(r.Stderr.Bytes) != "ada\n" || r.TimedOut || r.Signal != "" {
		t.Errorf("%+v, %q %q", r, r.Stdout.Bytes, r.Stderr.Bytes)
	}
}

func TestEnvironmentIsClean(t *testing.T) {
	t.Setenv("OCTOPUS_CANARY", "leaked")
	r := shell(t, "env", nil)
	if strings.Contains(string(r.Stdout.Bytes), "leaked") || !strings.Contains(string(r.Stdout.Bytes), "PATH=") {
		t.Errorf("%s", r.Stdout.Bytes)
	}
}

func TestOutputIsCapped(t *testing.T) {
	t.Parallel()
	r := shell(t, `i=0; while [ $i -lt 20000 ]; do echo 0123456789; i=$((i+1)); done; echo done >&2`, func(s *Spec) { s.Output = 100 })
	if len(r.Stdout.Bytes) != 100 || !r.Stdout.Truncated || string(r.Stderr.Bytes) != "done\n" || r.Stderr.Truncated || r.ExitCode != 0 {
		t.Errorf("%d bytes, %+v", len(r.Stdout.Bytes), r)
	}
}

// A program that ignores its input, and one that never gets any, end.
func TestUnreadInput(t *testing.T) {
	t.Parallel()
	if r := shell(t, "true", func(s *Spec) { s.Stdin = make([]byte, 4<<20) }); r.ExitCode != 0 {
		t.Errorf("%+v", r)
	}
	if r := shell(t, "cat", nil); r.ExitCode != 0 || len(r.Stdout.Bytes) != 0 {
		t.Errorf("%+v", r)
	}
}

// What a program started is killed with it: at its timeout, when it is cancelled, and when it ends by itself.
func TestTheWholeGroupEnds(t *testing.T) {
	t.Parallel()
	// The child says who it is, and then hangs with the pipe held open; so does its parent, or not.
	const child = `sh -c 'echo $$ > "$0.new"; mv "$0.new" "$0"; exec sleep 1000' "$FILE" & `
	const named = `while [ ! -e "$FILE" ]; do sleep 0.05; done; `
	for name, c := range map[string]struct {
		line     string
		timeout  time.Duration
		cancel   bool
		timedOut bool
	}{
		"timeout":   {child + named + "wait", 3 * time.Second, false, true},
		"cancel":    {child + named + "wait", patience, true, false},
		"by itself": {child + named + "exit 0", patience, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "pid")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.cancel {
				go func() {
					for ctx.Err() == nil {
						if _, err := os.Stat(file); err == nil {
							cancel()
						}
						time.Sleep(10 * time.Millisecond)
					}
				}()
			}
			r, err := Run(ctx, Spec{Argv: []string{"/bin/sh", "-c", c.line}, Env: []string{"FILE=" + file}, Timeout: c.timeout})
			if c.cancel != errors.Is(err, context.Canceled) || r.TimedOut != c.timedOut {
				t.Fatalf("%+v, %v", r, err)
			}
			raw, err := os.ReadFile(file)
			if os.IsNotExist(err) && c.timedOut {
				return // on a busy machine the time was up before the child had begun: then there is none
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
			if err != nil {
				t.Fatal(err)
			}
			gone(t, pid)
		})
	}
}

// gone waits until a process has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return
		}
	}
	t.Errorf("process %d goes on", pid)
}

// zombie says whether a process has ended and its new parent has not looked: containers often have no one who does.
func zombie(pid int) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, ok := strings.Cut(string(raw), ") ")
	return ok && strings.HasPrefix(rest, "Z")
}

// Asked to end, a program may clean up.
func TestAsk(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ready")
	ask := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat(file); err == nil {
				break
			}
		}
		close(ask)
	}()
	r := shell(t, `trap 'echo bye; exit 7' TERM; : > "$FILE"; while :; do sleep 0.05; done`, func(s *Spec) {
		s.Env, s.Ask = []string{"FILE=" + file}, ask
	})
	<-done
	if r.ExitCode != 7 || string(r.Stdout.Bytes) != "bye\n" {
		t.Errorf("%+v %q", r, r.Stdout.Bytes)
	}
}

func TestNotStarted(t *testing.T) {
	t.Parallel()
	for _, argv := range [][]string{{"/no/such/program"}, {"/etc/hostname"}} {
		if _, err := Run(t.Context(), Spec{Argv: argv}); err == nil {
			t.Errorf("%v ran", argv)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, Spec{Argv: []string{"/bin/true"}}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestSignal(t *testing.T) {
	t.Parallel()
	if r := shell(t, "kill -9 $$", nil); r.Signal != "killed" || r.ExitCode != -1 || r.TimedOut {
		t.Errorf("%+v", r)
	}
}
