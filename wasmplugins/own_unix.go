//go:build unix

package wasmplugins

import "os"

// own makes a file of a compile child this process's, and read-only. Its
// parents are closed to others, so that "all may read" means the runners.
func own(path string, folder bool) error {
	if err := os.Lchown(path, os.Getuid(), os.Getgid()); err != nil {
		return err
	}
	if folder {
		return os.Chmod(path, 0o555)
	}
	return os.Chmod(path, 0o444)
}

// lend makes a fresh folder a runner's, where it has a user of its own.
func lend(path string, uid, gid int) error {
	if os.Getuid() != 0 {
		return nil
	}
	return os.Lchown(path, uid, gid)
}
