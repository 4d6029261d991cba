package lockdown

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

var (
	archBase   []uint32
	archFiles  = []uint32{unix.SYS_FSTATAT}
	archWrites []uint32
	archRules  []archRule
)
