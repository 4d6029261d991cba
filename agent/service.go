package agent

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"octopus/internal/octopus"
)

// ServiceConfig is what an installed service starts with.
type ServiceConfig struct {
	// Executable is the program. Defaults to this one.
	Executable string
	// Name of the service. Defaults to "octopus-agent".
	Name                            string
	Server, TokenFile, Data, Policy string
	CAFile                          string
	Insecure                        bool
}

func (c ServiceConfig) withDefaults() (ServiceConfig, error) {
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
func (c ServiceConfig) args() []string {
	args := []string{"agent"}
	for _, f := range []struct{ flag, value string }{
		{"--server", c.Server}, {"--token-file", c.TokenFile}, {"--data", c.Data}, {"--policy", c.Policy}, {"--ca-file", c.CAFile},
	} {
		if f.value != "" {
			args = append(args, f.flag, f.value)
		}
	}
	if c.Insecure {
		args = append(args, "--insecure")
	}
	return args
}

// InstallService makes the agent start with the machine (systemd, or the Windows service manager) and starts it.
// It needs root, or an administrator. Progress goes to w; errors are for people.
func InstallService(c ServiceConfig, w io.Writer) error {
	c, err := c.withDefaults()
	if err != nil {
		return err
	}
	return installService(c, w)
}

// UninstallService stops and removes the service. The data folder stays.
func UninstallService(name string, w io.Writer) error {
	c, err := ServiceConfig{Name: name, Executable: "-"}.withDefaults()
	if err != nil {
		return err
	}
	return uninstallService(c.Name, w)
}
