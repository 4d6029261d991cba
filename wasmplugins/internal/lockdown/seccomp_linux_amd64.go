package lockdown

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

var (
	archBase   = []uint32{unix.SYS_EPOLL_WAIT}
	archFiles  = []uint32{unix.SYS_NEWFSTATAT, unix.SYS_READLINK, unix.SYS_OPEN, unix.SYS_STAT, unix.SYS_LSTAT}
	archWrites = []uint32{unix.SYS_RENAME, unix.SYS_MKDIR, unix.SYS_UNLINK}
	// A new thread of Go's sets its thread-local storage.
	archRules = []archRule{{unix.SYS_ARCH_PRCTL, 0x1002 /* ARCH_SET_FS */}}
)
