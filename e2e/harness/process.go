package harness

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for something that a person would expect within seconds, on a machine that has thirty
// other things to do.
const Patience = 3 * time.Minute

// Process is one running octopus. It is killed at the end of its test, and its output is shown if that failed.
type Process struct {
	t    testing.TB
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and been waited for

	mu    sync.Mutex
	lines []string      // guarded by mu
	more  chan struct{} // guarded by mu; closed and replaced when a line was added
}

// Start starts the binary with args in a folder. Both output streams are read to their end.
func Start(t testing.TB, name, dir string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, name: name, cmd: exec.Command(Binary(t), args...), done: make(chan struct{}), more: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), "NO_COLOR=1", "OCTOPUS_CONTEXTS="+filepath.Join(dir, "contexts.json"))
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = writer, writer
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	writer.Close()
	go func() {
		defer close(p.done)
		p.read(reader)
		p.cmd.Wait() // the exit code is asked for by Wait
	}()
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, strings.Join(p.Lines(), "\n"))
		}
	})
	return p
}

func (p *Process) read(r io.ReadCloser) {
	defer r.Close()
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, scanner.Text())
		close(p.more)
		p.more = make(chan struct{})
		p.mu.Unlock()
	}
}

// Lines is what the process has printed so far, on both streams.
func (p *Process) Lines() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.lines...)
}

// WaitLine returns the first line that contains text, printed before or from now on.
func (p *Process) WaitLine(text string) string {
	p.t.Helper()
	deadline := time.After(Patience)
	seen := 0
	for {
		p.mu.Lock()
		lines, more := p.lines[seen:], p.more
		seen = len(p.lines)
		p.mu.Unlock()
		for _, line := range lines {
			if strings.Contains(line, text) {
				return line
			}
		}
		select {
		case <-more:
		case <-p.done:
			p.t.Fatalf("%s ended without printing %q:\n%s", p.name, text, strings.Join(p.Lines(), "\n"))
		case <-deadline:
			p.t.Fatalf("%s did not print %q:\n%s", p.name, text, strings.Join(p.Lines(), "\n"))
		}
	}
}

// Kill ends the process as a power cut would end it: SIGKILL. It returns when it has ended.
func (p *Process) Kill() {
	p.cmd.Process.Kill() // an error means that it has ended
	<-p.done
}

// Stop asks the process to end and returns its exit code.
func (p *Process) Stop() int {
	p.t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	return p.Wait()
}

// Wait returns the exit code when the process has ended.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(Patience):
		p.t.Errorf("%s did not end in %s", p.name, Patience)
		p.Kill()
	}
	return p.cmd.ProcessState.ExitCode()
}

// PID is the process's id.
func (p *Process) PID() int { return p.cmd.Process.Pid }
