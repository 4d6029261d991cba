package wasmplugins

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"octopus/wasmplugins/internal/lockdown"
	"octopus/wasmplugins/internal/runner"
)

// init adds what only this package's test binary can do as a child: try to
// break out, and hold a pool for somebody else to kill.
func init() {
	children["runner-breakout"] = func() int {
		runner.Probe = breakout
		return RunnerMain(nil)
	}
	children["holder"] = holder
}

// breakout tries what a guest that took over its runner would try, on the
// main thread and on others, and returns what worked.
func breakout() (worked []string) {
	for name, attempt := range attempts {
		for range 3 {
			result := make(chan error)
			go func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				result <- attempt()
			}()
			if err := <-result; err == nil {
				worked = append(worked, name)
			}
		}
		if attempt() == nil {
			worked = append(worked, name)
		}
	}
	return worked
}

func errnoOf(_, _ uintptr, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

var attempts = map[string]func() error{
	"open a file to read":  func() error { _, err := os.ReadFile("/etc/passwd"); return err },
	"open a file to write": func() error { return os.WriteFile("/tmp/octopus-breakout", nil, 0o600) },
	"list a folder":        func() error { _, err := os.ReadDir("/"); return err },
	"read its own memory":  func() error { _, err := os.Open("/proc/self/mem"); return err },
	"connect":              func() error { _, err := net.DialTimeout("tcp", "127.0.0.1:1", time.Second); return onlyDenied(err) },
	"make a socket":        func() error { _, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); return err },
	"make a Unix socket":   func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err },
	"start a program":      func() error { return exec.Command("/bin/true").Run() },
	"exec":                 func() error { return unix.Exec("/bin/true", []string{"true"}, nil) },
	"fork":                 func() error { return errnoOf(unix.RawSyscall(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0)) },
	"clone3":               func() error { return errnoOf(unix.RawSyscall(unix.SYS_CLONE3, 0, 0, 0)) },
	"map executable memory": func() error {
		_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
		return err
	},
	"make memory executable": func() error {
		b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return err
		}
		return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
	},
	"make a memory file":   func() error { _, err := unix.MemfdCreate("x", 0); return err },
	"trace its parent":     func() error { return unix.PtraceAttach(os.Getppid()) },
	"signal its parent":    func() error { return unix.Kill(os.Getppid(), 0) },
	"signal a thread":      func() error { return unix.Tgkill(os.Getppid(), os.Getppid(), 0) },
	"become root":          func() error { return errnoOf(unix.RawSyscall(unix.SYS_SETUID, 0, 0, 0)) },
	"unshare":              func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
	"mount":                func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") },
	"raise its limits":     func() error { return unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: 1, Max: 1}) },
	"use io_uring":         func() error { return errnoOf(unix.RawSyscall(unix.SYS_IO_URING_SETUP, 1, 0, 0)) },
	"use bpf":              func() error { return errnoOf(unix.RawSyscall(unix.SYS_BPF, 0, 0, 0)) },
	"read another process": readParent,
	"be seen by others":    func() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) },
	"change directory":     func() error { return os.Chdir("/") },
	"load a kernel module": func() error { return errnoOf(unix.RawSyscall(unix.SYS_FINIT_MODULE, 0, 0, 0)) },
}

// onlyDenied: a connection that is refused was made.
func onlyDenied(err error) error {
	if err != nil && strings.Contains(err.Error(), "refused") {
		return nil
	}
	return err
}

func readParent() error {
	var b [8]byte
	local := unix.Iovec{Base: &b[0], Len: 8}
	remote := unix.RemoteIovec{Base: uintptr(unsafe.Pointer(&b[0])), Len: 8}
	_, err := unix.ProcessVMReadv(os.Getppid(), []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0)
	return err
}

func TestLockDownHolds(t *testing.T) {
	t.Parallel()
	if raceBuild {
		t.Skip("the race detector does not run under the lock-down")
	}
	p, _ := newPool(t, PoolConfig{Executable: []string{os.Args[0], "runner-breakout"}}, "noop")
	level := p.Level()
	t.Logf("%+v", level)
	for _, what := range level.Missing {
		if _, worked := attempts[what]; worked {
			t.Errorf("a runner could still %s", what)
		}
	}
	if level.Name != "full" && !strings.Contains(strings.Join(level.Missing, " "), "Landlock") {
		t.Errorf("level %q, missing %q", level.Name, level.Missing)
	}
}

// TestRunnersHaveANetworkOfTheirOwn where this process may give them one.
func TestRunnersHaveANetworkOfTheirOwn(t *testing.T) {
	t.Parallel()
	if raceBuild {
		t.Skip("the race detector does not run under the lock-down")
	}
	try := exec.Command("/bin/true")
	prepareCommand(try, true)
	allowed := try.Run() == nil
	p, digests := newPool(t, PoolConfig{}, "noop")
	if has := slices.Contains(p.Level().Has, lockdown.HasNetwork); has != allowed {
		t.Errorf("allowed: %t, the level is %+v", allowed, p.Level())
	}
	if out := p.Run(t.Context(), Job{Digest: digests["noop"]}, nil); out.Err != nil || out.Response.StatusCode != 200 {
		t.Errorf("noop: %+v, %v", out.Response, out.Err)
	}
}

// holder runs an endless guest, and says which process it is in.
func holder() int {
	dir, raw := os.Args[2], must(os.ReadFile(os.Args[3]))
	p := must(NewPool(PoolConfig{Dir: dir, Executable: []string{os.Args[0], "runner"}, Load: shelf{Digest(raw): raw}.load}))
	p.Run(bg, Job{Digest: Digest(raw), Timeout: time.Minute, OnReady: func(Prepared) error {
		for _, c := range p.childList() {
			_, err := os.Stdout.WriteString(strconv.Itoa(c.cmd.Process.Pid) + "\n")
			return err
		}
		return nil
	}}, nil)
	return 0
}

// A runner does not outlive its agent, even if that is killed while a guest
// spins.
func TestRunnerDiesWithItsParent(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "holder", t.TempDir(), filepath.Join("testdata", "loop.wasm"))
	out := must(cmd.StdoutPipe())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	runnerFD, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(runnerFD)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(runnerFD), Events: unix.POLLIN}}, 5000)
	if n != 1 || err != nil {
		t.Errorf("runner %d lives on (%d, %v)", pid, n, err)
		_ = unix.Kill(pid, unix.SIGKILL)
	}
}
