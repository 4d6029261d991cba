//go:build !windows

package process

import (
	"os"
	"os/exec"
	"syscall"
)

// group is a process group. It is killed before its leader is waited for, so that its number cannot be another's.
type group struct{ id int }

func (g *group) hold(p *os.Process) error {
	g.id = p.Pid
	return nil
}

func (g *group) kill()    { _ = syscall.Kill(-g.id, syscall.SIGKILL) }
func (g *group) ask()     { _ = syscall.Kill(-g.id, syscall.SIGTERM) }
func (g *group) release() {}

func prepare(cmd *exec.Cmd) { cmd.SysProcAttr = attributes() }

func rootDir() string { return "/" }

// baseEnv is what a program finds that was told nothing.
func baseEnv() []string {
	return []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}
}

func signalOf(state *os.ProcessState) string {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal().String()
	}
	return ""
}
