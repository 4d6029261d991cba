package store

import (
	"errors"
	"syscall"
)

// Windows says ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL for a full disk, and ERROR_DISK_QUOTA_EXCEEDED.
func isQuota(err error) bool {
	return errors.Is(err, syscall.Errno(112)) || errors.Is(err, syscall.Errno(39)) || errors.Is(err, syscall.Errno(1295))
}
