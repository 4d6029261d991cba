//go:build unix

package cli

import (
	"fmt"
	"os"
	"syscall"
)

// restart replaces this process by a new one of the same program, which may have been updated meanwhile.
func restart() error {
	path, err := os.Executable()
	if err == nil {
		err = syscall.Exec(path, os.Args, os.Environ())
	}
	return fmt.Errorf("restart: %w", err)
}
