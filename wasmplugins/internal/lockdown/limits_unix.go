//go:build unix && !linux

package lockdown

import "golang.org/x/sys/unix"

// limits: processor time and dumps; memory limits do nothing on macOS.
func (b *Box) limits() {
	err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	if b.c.CPU > 0 && err == nil {
		err = unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: b.c.CPU, Max: b.c.CPU + 1})
	}
	b.note("a limit on processor time", err)
}
