package disk

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// cannotSync reports that the system does not sync folders: Windows never does, some file systems refuse.
func cannotSync(err error) bool {
	return runtime.GOOS == "windows" || errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission)
}

// SyncDir makes the names in a folder of the operating system durable, as [Folder] does.
func SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !cannotSync(err) {
		return err
	}
	return nil
}
