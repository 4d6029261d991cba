//go:build unix

package wasmplugins

import "os"

// own makes a file of a compile child this process's. Where runners have a
// user of their own they may read it, which the parents let nobody else;
// elsewhere folders stay writable, so that people can delete the data folder.
func own(path string, folder bool) error {
	if os.Getuid() != 0 {
		if folder {
			return os.Chmod(path, 0o700)
		}
		return os.Chmod(path, 0o400)
	}
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
