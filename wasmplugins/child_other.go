//go:build !linux && !windows

package wasmplugins

import (
	"io"
	"log/slog"
	"os/exec"
	"syscall"
)

// prepareCommand keeps a terminal's Ctrl-C to this process.
func prepareCommand(cmd *exec.Cmd, _ bool) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// networkNamespace: there are none.
func networkNamespace() string { return "" }

// runnerEnv is nothing: what a runner needs it is told.
func runnerEnv() []string { return []string{} }

func confine(int, *slog.Logger) io.Closer { return nil }

// groupsExist: this system has no control groups, and nobody asks for them.
const groupsExist = false
