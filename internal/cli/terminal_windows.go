package cli

import (
	"io"
	"os"

	"golang.org/x/sys/windows"
)

// hideTyping switches the echo of a console off; the function that it returns switches it on again.
func hideTyping(in io.Reader) func() {
	f, ok := in.(*os.File)
	if !ok {
		return func() {}
	}
	console := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(console, &mode) != nil {
		return func() {}
	}
	_ = windows.SetConsoleMode(console, mode&^windows.ENABLE_ECHO_INPUT) // then it is shown, as without this
	return func() { _ = windows.SetConsoleMode(console, mode) }
}

func isConsole(f *os.File) bool {
	var mode uint32
	return windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) == nil
}
