//go:build !windows

package service

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"octopus/deploy"
	"octopus/internal/octopus"
)

// systemd is the service manager of this machine.
type systemd struct {
	units   string                     // folder of the units
	running string                     // a folder that is there while systemd runs the machine
	root    bool                       // this process may change units
	ctl     func(args ...string) error // systemctl
}

func thisMachine() systemd {
	return systemd{units: "/etc/systemd/system", running: "/run/systemd/system", root: os.Geteuid() == 0, ctl: systemctl}
}

// Run runs f as it is: only Windows asks a service to speak to its manager.
func Run(ctx context.Context, f func(context.Context) error) error { return f(ctx) }

func install(c Config, w io.Writer) error { return thisMachine().install(c, w) }

func uninstall(name string, w io.Writer) error { return thisMachine().uninstall(name, w) }

func (s systemd) install(c Config, w io.Writer) error {
	command := strings.Join(append([]string{c.Executable}, c.args()...), " ")
	if _, err := os.Stat(s.running); err != nil {
		return octopus.Errorf(octopus.CodeUnavailable,
			"This machine does not run systemd. Have your service manager run: %s", command)
	}
	if !s.root {
		return octopus.Errorf(octopus.CodeDenied, "Installing a service needs root. Run the same command with sudo.")
	}
	plain := c // the unit has its own folder and token file
	plain.Data, plain.TokenFile = "", ""
	argv := append([]string{c.Executable}, plain.args()...)
	unit, err := deploy.Unit(deploy.UnitConfig{
		Argv: argv, Data: c.Data, TokenFile: c.TokenFile,
	})
	if err != nil {
		return err
	}
	path := filepath.Join(s.units, c.Name+".service")
	if err := os.WriteFile(path, []byte(unit), 0o644); err != nil {
		return octopus.Errorf(octopus.CodeDenied, "The unit %s cannot be written: %v.", path, err)
	}
	fmt.Fprintln(w, "wrote", path)
	for _, args := range [][]string{{"daemon-reload"}, {"enable", c.Name}, {"restart", c.Name}} {
		if err := s.ctl(args...); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%s runs and starts with this machine. Its log: journalctl -u %s -f\n", c.Name, c.Name)
	return nil
}

func (s systemd) uninstall(name string, w io.Writer) error {
	path := filepath.Join(s.units, name+".service")
	if _, err := os.Stat(path); err != nil {
		return octopus.Errorf(octopus.CodeNotFound, "There is no service %s on this machine.", name)
	}
	if !s.root {
		return octopus.Errorf(octopus.CodeDenied, "Removing a service needs root. Run the same command with sudo.")
	}
	if err := s.ctl("disable", "--now", name); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove unit: %w", err)
	}
	fmt.Fprintf(w, "%s is removed. Its data is still there.\n", name)
	return s.ctl("daemon-reload")
}

func systemctl(args ...string) error {
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil {
		return octopus.Errorf(octopus.CodeUnavailable, "systemctl %s failed: %s", strings.Join(args, " "), strings.TrimSpace(string(out)))
	}
	return nil
}
