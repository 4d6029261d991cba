//go:build linux

package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one place where an octopus runs, again and again. What it prints goes to one file.
type process struct {
	name string   // static
	dir  string   // static
	argv []string // static
	env  []string // static, beside the test's own

	mu     sync.Mutex
	cmd    *exec.Cmd     // guarded by mu; nil: not running
	done   chan struct{} // guarded by mu: closed when cmd has ended
	frozen bool          // guarded by mu
	starts int           // guarded by mu
	wanted bool          // guarded by mu: nobody stopped it on purpose, so an end is a crash
	crash  string        // guarded by mu: how it ended by itself, once
}

func (p *process) logPath() string { return filepath.Join(p.dir, p.name+".log") }

// start starts it. Its end by itself is remembered as a crash.
func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return nil
	}
	log, err := os.OpenFile(p.logPath(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("log of %s: %w", p.name, err)
	}
	defer log.Close()
	fmt.Fprintf(log, "--- start %d at %s\n", p.starts, time.Now().Format(time.RFC3339Nano))
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = p.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // should the test itself be killed
	cmd.Env = append(append(os.Environ(), "NO_COLOR=1", "OCTOPUS_CONTEXTS="+filepath.Join(p.dir, "contexts.json")), p.env...)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.cmd, p.done, p.wanted = cmd, done, true
	p.starts++
	go func() { // ends with the process, which stop and kill wait for
		err := cmd.Wait()
		p.mu.Lock()
		if p.wanted {
			p.crash = fmt.Sprintf("%s ended by itself: %v", p.name, err)
		}
		p.mu.Unlock()
		close(done)
	}()
	return nil
}

// end sends a signal and waits; after a grace it kills. It reports whether that was necessary.
func (p *process) end(signal syscall.Signal, grace time.Duration) (killed bool) {
	p.mu.Lock()
	cmd, done := p.cmd, p.done
	p.wanted = false
	if cmd == nil {
		p.mu.Unlock()
		return false
	}
	if p.frozen {
		cmd.Process.Signal(syscall.SIGCONT)
		p.frozen = false
	}
	p.mu.Unlock()
	cmd.Process.Signal(signal)
	select {
	case <-done:
	case <-time.After(grace):
		killed = true
		cmd.Process.Kill()
		<-done
	}
	p.mu.Lock()
	p.cmd = nil
	p.mu.Unlock()
	return killed
}

// kill is a SIGKILL, also of what is frozen.
func (p *process) kill() {
	p.mu.Lock()
	if p.cmd != nil {
		p.wanted = false
		p.cmd.Process.Kill()
	}
	p.frozen = false // a dead process needs no thaw
	p.mu.Unlock()
	p.end(syscall.SIGKILL, time.Minute)
}

func (p *process) freeze() { p.signal(syscall.SIGSTOP, true) }
func (p *process) thaw()   { p.signal(syscall.SIGCONT, false) }

func (p *process) signal(s syscall.Signal, frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		p.cmd.Process.Signal(s)
		p.frozen = frozen
	}
}

// crashed says how it ended by itself, "" if it did not. Such a process can be started again.
func (p *process) crashed() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	crash := p.crash
	if crash != "" {
		p.crash, p.cmd = "", nil
	}
	return crash
}

func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// log is what it has printed, at most the last n bytes.
func (p *process) log(n int) string {
	raw, err := os.ReadFile(p.logPath())
	if err != nil {
		return err.Error()
	}
	if len(raw) > n {
		raw = raw[len(raw)-n:]
	}
	return string(raw)
}

// running lists the processes of an executable that are still there, with their command lines.
func running(executable string) (list []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if exe, err := os.Readlink(dir + "/exe"); err != nil || strings.TrimSuffix(exe, " (deleted)") != executable {
			continue
		}
		raw, _ := os.ReadFile(dir + "/cmdline")
		list = append(list, filepath.Base(dir)+" "+strings.ReplaceAll(strings.TrimRight(string(raw), "\x00"), "\x00", " "))
	}
	return list
}

// descriptors is how many a process has open.
func descriptors(pid int) int {
	list, _ := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/fd")
	return len(list)
}
