//go:build unix

package runner

import "golang.org/x/sys/unix"

// newMemory maps the guest's memory; pages cost nothing until they are used.
func newMemory(limit uint64) (*memory, error) {
	buf, err := unix.Mmap(-1, 0, int(limit), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	return &memory{buf: buf}, err
}
