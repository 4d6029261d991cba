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

const unitFolder = "/etc/systemd/system"

// Run runs f as it is: only Windows asks a service to speak to its manager.
func Run(ctx context.Context, f func(context.Context) error) error { return f(ctx) }

func install(c Config, w io.Writer) error {
	command := strings.Join(append([]string{c.Executable}, c.args()...), " ")
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return octopus.Errorf(octopus.CodeUnavailable,
			"This machine does not run systemd. Have your service manager run: %s", command)
	}
	if os.Geteuid() != 0 {
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
	path := filepath.Join(unitFolder, c.Name+".service")
	if err := os.WriteFile(path, []byte(unit), 0o644); err != nil {
		return octopus.Errorf(octopus.CodeDenied, "The unit %s cannot be written: %v.", path, err)
	}
	fmt.Fprintln(w, "wrote", path)
	for _, args := range [][]string{{"daemon-reload"}, {"enable", c.Name}, {"restart", c.Name}} {
		if err := systemctl(args...); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%s runs and starts with this machine. Its log: journalctl -u %s -f\n", c.Name, c.Name)
	return nil
}

func uninstall(name string, w io.Writer) error {
	path := filepath.Join(unitFolder, name+".service")
	if _, err := os.Stat(path); err != nil {
		return octopus.Errorf(octopus.CodeNotFound, "There is no service %s on this machine.", name)
	}
	if os.Geteuid() != 0 {
		return octopus.Errorf(octopus.CodeDenied, "Removing a service needs root. Run the same command with sudo.")
	}
	if err := systemctl("disable", "--now", name); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove unit: %w", err)
	}
	fmt.Fprintf(w, "%s is removed. Its data is still there.\n", name)
	return systemctl("daemon-reload")
}

func systemctl(args ...string) error {
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil {
		return octopus.Errorf(octopus.CodeUnavailable, "systemctl %s failed: %s", strings.Join(args, " "), strings.TrimSpace(string(out)))
	}
	return nil
}
