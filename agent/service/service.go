// Package service makes an agent start with its machine: systemd, or the Windows service manager.
package service

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"octopus/internal/octopus"
)

// Config is what an installed service starts with.
type Config struct {
	// Executable is the program. Defaults to this one.
	Executable string
	// Name of the service. Defaults to "octopus-agent".
	Name                            string
	Server, TokenFile, Data, Policy string
	CAFile, Transport               string
	Insecure, AllowScripts          bool
}

func (c Config) withDefaults() (Config, error) {
	c.Name = cmp.Or(c.Name, "octopus-agent")
	if strings.ContainsFunc(c.Name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) {
		return c, octopus.Errorf(octopus.CodeInvalid, "A service's name has letters, digits, - and _ only.")
	}
	if c.Executable == "" {
		path, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("find this program: %w", err)
		}
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			path = resolved
		}
		c.Executable = path
	}
	return c, nil
}

// args are "agent" and the flags for what is set.
func (c Config) args() []string {
	args := []string{"agent"}
	for _, f := range []struct{ flag, value string }{
		{"--server", c.Server}, {"--token-file", c.TokenFile}, {"--data", c.Data}, {"--policy", c.Policy}, {"--ca-file", c.CAFile},
		{"--transport", c.Transport},
	} {
		if f.value != "" {
			args = append(args, f.flag, f.value)
		}
	}
	if c.AllowScripts {
		args = append(args, "--allow-scripts")
	}
	if c.Insecure {
		args = append(args, "--insecure")
	}
	return args
}

// Install makes the agent start with the machine (systemd, or the Windows service manager) and starts it.
// It needs root, or an administrator. Progress goes to w; errors are for people.
func Install(c Config, w io.Writer) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	return install(c, w)
}

// Uninstall stops and removes the service. The data folder stays.
func Uninstall(name string, w io.Writer) error {
	c, err := Config{Name: name, Executable: "-"}.withDefaults()
	if err != nil {
		return err
	}
	return uninstall(c.Name, w)
}
