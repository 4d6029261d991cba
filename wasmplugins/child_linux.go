package wasmplugins

import (
	"io"
	"log/slog"
	"os"
	"os/exec"
	"syscall"

	"octopus/wasmplugins/internal/lockdown"
)

// prepareCommand: the runner dies with this process, whatever kills it, and
// a terminal's Ctrl-C is this process's to handle. Apart it begins in an
// empty network namespace, which needs the right to make one.
func prepareCommand(cmd *exec.Cmd, apart bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if apart {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	}
}

// networkNamespace names the network namespace of this process, "" where the
// system does not tell.
func networkNamespace() string {
	name, _ := os.Readlink(lockdown.NetworkNamespace)
	return name
}

// runnerEnv is nothing: what a runner needs it is told.
func runnerEnv() []string { return []string{} }

func confine(int, *slog.Logger) io.Closer { return nil }

// groupsExist: a level says whether there are any, and why not.
const groupsExist = true
