package wasmplugins

import (
	"io"
	"log/slog"
	"os/exec"
	"syscall"
)

// prepareCommand: the runner dies with this process, whatever kills it, and
// a terminal's Ctrl-C is this process's to handle.
func prepareCommand(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

// runnerEnv is nothing: what a runner needs it is told.
func runnerEnv() []string { return []string{} }

func confine(int, *slog.Logger) io.Closer { return nil }
