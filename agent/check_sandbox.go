package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"octopus/internal/octopus"
	"octopus/wasmplugins"
)

// checkSandbox writes what contains plugins here: as the running agent found it, or else as this process does, which
// may have been given other rights than a service.
func checkSandbox(c Config, w io.Writer) error {
	const name = "sandbox"
	level, by := wasmplugins.Level{}, "as the running agent found it"
	if r, err := Status(c.Data); err == nil && r.Running && r.Sandbox != "" {
		level = wasmplugins.Level{Name: r.Sandbox, Has: r.SandboxHas, Missing: r.SandboxMissing, Without: r.SandboxWithout}
	} else {
		by = "as this command finds it; a service may have other rights"
		if level, err = probeSandbox(c.Runner); err != nil {
			fmt.Fprintf(w, "✗ %-8s %v\n", name, err)
			return octopus.Errorf(octopus.CodeInternal, "The sandbox does not start: %v.", err)
		}
	}
	passed(w, name, fmt.Sprintf("%s, %s", level.Name, by))
	for _, layer := range level.Has {
		fmt.Fprintf(w, "  has %s\n", layer)
	}
	for _, layer := range append(level.Missing, level.Without...) {
		fmt.Fprintf(w, "  has not %s\n", layer)
	}
	return nil
}

// probeSandbox starts a sandbox for a moment.
func probeSandbox(runner []string) (level wasmplugins.Level, err error) {
	dir, err := os.MkdirTemp("", "octopus-check-")
	if err != nil {
		return level, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	pool, err := wasmplugins.NewPool(wasmplugins.PoolConfig{Dir: dir, Executable: runner, Load: noModules})
	if err != nil {
		return level, errors.New(strings.TrimSuffix(err.Error(), "."))
	}
	defer pool.Close() //nolint:errcheck // nothing ran in it
	return pool.Level(), nil
}

func noModules(context.Context, string) ([]byte, error) {
	return nil, octopus.Errorf(octopus.CodeNotFound, "There are no modules here.")
}
