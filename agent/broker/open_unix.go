//go:build !windows

package broker

import "syscall"

// nonblock keeps the opening of what turns out to be a pipe from waiting for its other end.
const nonblock = syscall.O_NONBLOCK
