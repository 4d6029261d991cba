package lockdown

import (
	"testing"

	"golang.org/x/sys/unix"
)

// judge runs a filter as the kernel would.
func judge(t *testing.T, prog []unix.SockFilter, nr, arch uint32, args ...uint32) uint32 {
	t.Helper()
	var acc uint32
	for pc := 0; pc < len(prog); pc++ {
		in := prog[pc]
		yes := false
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			switch acc = 0; {
			case in.K == offNr:
				acc = nr
			case in.K == offArch:
				acc = arch
			case int(in.K-offArgs)/8 < len(args):
				acc = args[(in.K-offArgs)/8]
			}
			continue
		case and:
			acc &= in.K
			continue
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		case jeq:
			yes = acc == in.K
		case jge:
			yes = acc >= in.K
		case jset:
			yes = acc&in.K != 0
		default:
			t.Fatalf("instruction %d has the unknown code %#x", pc, in.Code)
		}
		if yes {
			pc += int(in.Jt)
		} else {
			pc += int(in.Jf)
		}
	}
	t.Fatal("the filter has no end")
	return 0
}

func TestFilter(t *testing.T) {
	t.Parallel()
	deny := unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	run, write := running().program(), loading(true).program()
	thread := uint32(threadFlags | unix.CLONE_SYSVSEM)
	for name, c := range map[string]struct {
		prog []unix.SockFilter
		nr   uint32
		args []uint32
		want uint32
	}{
		"read":                    {run, unix.SYS_READ, nil, unix.SECCOMP_RET_ALLOW},
		"map":                     {run, unix.SYS_MMAP, []uint32{0, 4096, unix.PROT_READ | unix.PROT_WRITE}, unix.SECCOMP_RET_ALLOW},
		"map executable":          {run, unix.SYS_MMAP, []uint32{0, 4096, unix.PROT_READ | unix.PROT_EXEC}, deny},
		"protect executable":      {run, unix.SYS_MPROTECT, []uint32{0, 4096, unix.PROT_EXEC}, deny},
		"compile maps executable": {write, unix.SYS_MPROTECT, []uint32{0, 4096, unix.PROT_EXEC}, unix.SECCOMP_RET_ALLOW},
		"thread":                  {run, unix.SYS_CLONE, []uint32{thread}, unix.SECCOMP_RET_ALLOW},
		"process":                 {run, unix.SYS_CLONE, []uint32{uint32(unix.SIGCHLD)}, deny},
		"thread in a namespace":   {run, unix.SYS_CLONE, []uint32{thread | unix.CLONE_NEWNET}, deny},
		"clone3":                  {run, unix.SYS_CLONE3, nil, unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		"own signal":              {run, unix.SYS_TGKILL, []uint32{uint32(unix.Getpid())}, unix.SECCOMP_RET_ALLOW},
		"other signal":            {run, unix.SYS_TGKILL, []uint32{1}, deny},
		"kill":                    {run, unix.SYS_KILL, nil, deny},
		"open":                    {run, unix.SYS_OPENAT, nil, deny},
		"open while loading":      {write, unix.SYS_OPENAT, nil, unix.SECCOMP_RET_ALLOW},
		"socket":                  {write, unix.SYS_SOCKET, nil, deny},
		"execve":                  {write, unix.SYS_EXECVE, nil, deny},
		"ptrace":                  {write, unix.SYS_PTRACE, nil, deny},
		"io_uring":                {write, unix.SYS_IO_URING_SETUP, nil, deny},
		"limits while running":    {run, unix.SYS_PRLIMIT64, nil, deny},
		"a number of the future":  {run, 5000, nil, deny},
		"x32":                     {run, 0x40000000, nil, unix.SECCOMP_RET_KILL_PROCESS},
	} {
		if got := judge(t, c.prog, c.nr, auditArch, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", name, got, c.want)
		}
	}
	if got := judge(t, run, unix.SYS_READ, unix.AUDIT_ARCH_I386); got != unix.SECCOMP_RET_KILL_PROCESS {
		t.Errorf("another architecture: %#x", got)
	}
}
