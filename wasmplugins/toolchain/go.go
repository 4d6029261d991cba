package toolchain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"octopus/wasmplugins"
)

// oldestGo is the oldest Go with which the SDK compiles.
const oldestGo = "1.24"

func compileGo(ctx context.Context, dir, out string) error {
	tool, err := exec.LookPath("go")
	if err != nil {
		return &Missing{fmt.Sprintf("Building needs Go %s or newer, and there is no go command here", oldestGo), installGo()}
	}
	if !inModule(dir) {
		return &Failed{Hint: fmt.Sprintf("%s is in no Go module; write a go.mod with: go mod init example/%s", dir, filepath.Base(dir))}
	}
	if out, err = absolute(out); err != nil {
		return err
	}
	said, err := goBuild(ctx, tool, dir, out, "-buildmode=c-shared")
	if err == nil && !isArchive(out) && !isReactor(out) {
		// Without the SDK, or with one that is older: nobody would call main.
		said, err = goBuild(ctx, tool, dir, out)
	}
	var failed *Failed
	switch {
	case err == nil && isArchive(out), strings.Contains(said, "requires exactly one main package"):
		return &Failed{Hint: dir + " is no program: a plugin is package main."}
	case errors.As(err, &failed) && (strings.Contains(said, "unsupported GOOS/GOARCH") || strings.Contains(said, "-buildmode=c-shared not supported") || strings.Contains(said, "go.mod requires go >=")):
		return &Missing{fmt.Sprintf("This Go is too old: building needs Go %s or newer", oldestGo), installGo()}
	}
	return err
}

func goBuild(ctx context.Context, tool, dir, out string, more ...string) (said string, err error) {
	args := append([]string{"build"}, more...)
	return run(ctx, dir, []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"},
		tool, append(args, "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, ".")...)
}

// isReactor says whether a module has the entry that the SDK gives it.
func isReactor(file string) bool {
	module, err := os.ReadFile(file)
	if err != nil {
		return false
	}
	info, err := wasmplugins.Check(module, 0)
	return err == nil && info.Reactor
}

// inModule looks for go.mod in a folder and those above.
func inModule(dir string) bool {
	path, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for ; ; path = filepath.Dir(path) {
		if isFile(filepath.Join(path, "go.mod")) {
			return true
		}
		if filepath.Dir(path) == path {
			return false
		}
	}
}

// isArchive says that the compiler wrote what it makes of a package without main.
func isArchive(file string) bool {
	f, err := os.Open(file)
	if err != nil {
		return true // a folder of tests only makes nothing
	}
	defer f.Close()
	head := make([]byte, 7)
	n, _ := f.Read(head)
	return string(head[:n]) == "!<arch>"
}

// installGo is a command that installs Go on this system.
func installGo() string {
	switch runtime.GOOS {
	case "darwin":
		return "brew install go"
	case "windows":
		return "winget install GoLang.Go"
	}
	release, _, _ := strings.Cut(runtime.Version(), " ") // experiments follow it
	return fmt.Sprintf("curl -fsSL https://go.dev/dl/%s.%s-%s.tar.gz | sudo tar -xz -C /usr/local && export PATH=$PATH:/usr/local/go/bin",
		release, runtime.GOOS, runtime.GOARCH)
}
