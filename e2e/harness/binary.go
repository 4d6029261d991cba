// Package harness starts Octopus as its users do: real processes of the real binary, each with its own folder.
package harness

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// EnvBinary names an octopus binary with plugins, built before. Without it the harness builds one.
const EnvBinary = "OCTOPUS_TEST_BINARY"

var (
	buildOnce sync.Once
	built     string
	buildErr  error
)

// Binary returns the path of an octopus binary with its plugins, built once for each test process. It is built
// without the race detector: what is tested under it runs in the test's own process. With -short the test that asks
// for it is skipped.
func Binary(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	buildOnce.Do(func() {
		if built = os.Getenv(EnvBinary); built == "" {
			built, buildErr = build()
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	return built
}

// made lists the folders that outlive a single test.
var made []string

// Clean removes what the harness made for all tests of a process. Call it at the end of TestMain.
func Clean() {
	for _, folder := range made {
		os.RemoveAll(folder)
	}
}

func build() (string, error) {
	root, err := run("", "go", "list", "-m", "-f", "{{.Dir}}")
	if err != nil {
		return "", err
	}
	if _, err := run(root, "go", "run", "./wasmplugins/builtin/build"); err != nil {
		return "", err
	}
	folder, err := os.MkdirTemp("", "octopus-e2e-")
	if err != nil {
		return "", fmt.Errorf("build folder: %w", err)
	}
	made = append(made, folder)
	path := filepath.Join(folder, "octopus")
	if _, err := run(root, "go", "build", "-o", path, "."); err != nil {
		return "", err
	}
	return path, nil
}

// run runs a command without cgo and returns what it printed.
func run(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
