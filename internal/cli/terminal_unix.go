//go:build linux || darwin

package cli

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// hideTyping switches the echo of a terminal off; the function that it returns switches it on again.
func hideTyping(in io.Reader) func() {
	f, ok := in.(*os.File)
	if !ok {
		return func() {}
	}
	fd := int(f.Fd())
	old, err := unix.IoctlGetTermios(fd, getTerminal)
	if err != nil {
		return func() {}
	}
	silent := *old
	silent.Lflag &^= unix.ECHO
	silent.Lflag |= unix.ICANON | unix.ISIG
	_ = unix.IoctlSetTermios(fd, setTerminal, &silent) // then it is shown, as without this
	return func() { _ = unix.IoctlSetTermios(fd, setTerminal, old) }
}

func isConsole(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), getTerminal)
	return err == nil
}
