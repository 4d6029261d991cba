//go:build !linux

package bench

import (
	"errors"
	"time"
)

// ServerPID finds the server's process. Only Linux tells.
func ServerPID(string) (int, bool) { return 0, false }

func usage(int) (resident int64, cpu time.Duration, err error) {
	return 0, 0, errors.New("only Linux tells what another process uses")
}

// costs knows nothing of other processes here.
func costs(string) Costs { return Costs{} }
