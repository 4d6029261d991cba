package lockdown

import (
	"fmt"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// policy is what a filter lets through. Everything else fails with EPERM.
type policy struct {
	allow []uint32
	// exec allows executable mappings.
	exec bool
}

// base is what Go's runtime and the pipes need (checked against the runtime's
// sys_linux_*.s of go1.26).
var base = append([]uint32{
	unix.SYS_READ, unix.SYS_WRITE, unix.SYS_CLOSE, unix.SYS_MUNMAP, unix.SYS_MADVISE, unix.SYS_MINCORE,
	unix.SYS_RT_SIGACTION, unix.SYS_RT_SIGPROCMASK, unix.SYS_RT_SIGRETURN, unix.SYS_SIGALTSTACK,
	unix.SYS_SCHED_YIELD, unix.SYS_SCHED_GETAFFINITY, unix.SYS_NANOSLEEP, unix.SYS_CLOCK_NANOSLEEP,
	unix.SYS_CLOCK_GETTIME, unix.SYS_GETTIMEOFDAY, unix.SYS_FUTEX, unix.SYS_RESTART_SYSCALL,
	unix.SYS_EPOLL_CREATE1, unix.SYS_EPOLL_CTL, unix.SYS_EPOLL_PWAIT, unix.SYS_EVENTFD2,
	unix.SYS_GETPID, unix.SYS_GETPPID, unix.SYS_GETTID, unix.SYS_EXIT, unix.SYS_EXIT_GROUP, unix.SYS_GETRANDOM,
	// Threads of a binary that was linked with C, and its last words.
	unix.SYS_RSEQ, unix.SYS_SET_ROBUST_LIST, unix.SYS_WRITEV,
}, archBase...)

// files is what reading the cache needs, before the second filter; setup is
// what puts that filter on.
var (
	files = append([]uint32{
		unix.SYS_OPENAT, unix.SYS_FSTAT, unix.SYS_GETDENTS64, unix.SYS_LSEEK, unix.SYS_PREAD64,
		unix.SYS_READLINKAT, unix.SYS_FCNTL, unix.SYS_GETCWD, unix.SYS_STATX,
	}, archFiles...)
	setup  = []uint32{unix.SYS_SECCOMP, unix.SYS_PRLIMIT64}
	writes = append([]uint32{
		unix.SYS_MKDIRAT, unix.SYS_RENAMEAT, unix.SYS_UNLINKAT, unix.SYS_FSYNC, unix.SYS_FCHMOD,
	}, archWrites...)
)

// loading is the filter while a module is read, compiled or loaded.
func loading(write bool) policy {
	p := policy{allow: slices.Concat(base, files, setup), exec: true}
	if write {
		p.allow = append(p.allow, writes...)
	}
	return p
}

// running is the filter while guests run.
func running() policy { return policy{allow: base} }

// Offsets in struct seccomp_data.
const (
	offNr   = 0
	offArch = 4
	offArgs = 16
)

// threadFlags are what a clone must have to be a thread of this process.
const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD

// namespaceFlags are what a clone must not have.
const namespaceFlags = unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC |
	unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET

func stmt(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }

func jump(code uint16, k uint32, yes, no uint8) unix.SockFilter {
	return unix.SockFilter{Code: code, K: k, Jt: yes, Jf: no}
}

func load(offset uint32) unix.SockFilter { return stmt(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, offset) }
func ret(action uint32) unix.SockFilter  { return stmt(unix.BPF_RET|unix.BPF_K, action) }

const (
	jeq  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	jge  = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	jset = unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K
	and  = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
)

// program assembles the filter. Each rule is complete in itself, so that no
// jump is longer than a few instructions.
func (p policy) program() []unix.SockFilter {
	deny, allow := ret(unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM)), ret(unix.SECCOMP_RET_ALLOW)
	prog := []unix.SockFilter{
		load(offArch), jump(jeq, auditArch, 1, 0), ret(unix.SECCOMP_RET_KILL_PROCESS),
		load(offNr), jump(jge, 0x40000000, 0, 1), ret(unix.SECCOMP_RET_KILL_PROCESS), // x32
	}
	for _, nr := range p.allow {
		prog = append(prog, jump(jeq, nr, 0, 1), allow)
	}
	// rule adds: if the number is nr, judge by a 32-bit argument.
	rule := func(nr uint32, arg uint32, body ...unix.SockFilter) {
		prog = append(prog, jump(jeq, nr, 0, uint8(len(body)+1)), load(offArgs+8*arg))
		prog = append(prog, body...)
	}
	for _, nr := range []uint32{unix.SYS_MMAP, unix.SYS_MPROTECT} {
		if p.exec {
			prog = append(prog, jump(jeq, nr, 0, 1), allow)
		} else {
			rule(nr, 2, jump(jset, unix.PROT_EXEC, 0, 1), deny, allow)
		}
	}
	rule(unix.SYS_CLONE, 0, jump(jset, namespaceFlags, 0, 1), deny, stmt(and, threadFlags), jump(jeq, threadFlags, 1, 0), deny, allow)
	rule(unix.SYS_TGKILL, 0, jump(jeq, uint32(unix.Getpid()), 1, 0), deny, allow)
	for _, r := range archRules {
		rule(r.nr, 0, jump(jeq, r.arg, 1, 0), deny, allow)
	}
	prog = append(prog, jump(jeq, unix.SYS_CLONE3, 0, 1), ret(unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS)))
	return append(prog, deny)
}

// archRule allows a system call with one value of its first argument.
type archRule struct{ nr, arg uint32 }

// filter puts the policy on every thread of the process.
func filter(p policy) error {
	prog := p.program()
	fprog := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	bad, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return errno
	}
	if bad != 0 {
		return fmt.Errorf("thread %d did not take the filter", bad)
	}
	return nil
}
