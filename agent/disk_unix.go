//go:build unix

package agent

import "golang.org/x/sys/unix"

// free is how many bytes this process may still write; false where the system does not say.
func (f *folder) free() (int64, bool) {
	var s unix.Statfs_t
	if unix.Statfs(f.path, &s) != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true
}
