package cli

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// goForPlugins is the oldest Go with which the SDK compiles.
const goForPlugins = "1.24"

func (a *app) pluginBuild() *cobra.Command {
	return &cobra.Command{
		Use:   "build [FOLDER]",
		Short: "Compile a plugin written in Go and pack it",
		Long: `Compile the Go program in FOLDER (default: this one) to WASI, put its plugin.yaml into it, and write
FOLDER/NAME.wasm. Nothing is written when the program does not compile or the manifest is not valid.

Plugins in other languages are compiled with their own tools and packed with octopus plugins pack.`,
		Example: "  octopus plugins build hello\n  octopus plugins test hello/hello.wasm",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return exactly("FOLDER")(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.build(cmd.Context(), cmp.Or(strings.Join(args, ""), "."))
		},
	}
}

func (a *app) build(ctx context.Context, dir string) error {
	if err := checkFolder(dir); err != nil {
		return err
	}
	m, err := a.readManifest(filepath.Join(dir, "plugin.yaml"))
	if err != nil {
		return err
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		return usagef("Building needs Go %s or newer, and there is no go command here; install it with: %s", goForPlugins, installGo())
	}
	tmp, err := os.MkdirTemp("", "octopus-build-")
	if err != nil {
		return fmt.Errorf("folder to build in: %w", err)
	}
	defer os.RemoveAll(tmp)
	compiled := filepath.Join(tmp, m.spec.Name+".wasm")
	if err := a.compile(ctx, tool, dir, compiled); err != nil {
		return err
	}
	out := filepath.Join(dir, m.spec.Name+".wasm")
	report, err := m.packInto(compiled, out, out)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "Built and packed.\nNext: octopus plugins test %s\n", out)
	return a.print(report, func(t *tabwriter.Writer) {
		row(t, "Plugin", report.Name+" "+report.Version)
		row(t, "File", report.File)
		row(t, "Size", fmt.Sprintf("%.1f MiB", float64(report.Size)/(1<<20)))
		row(t, "Digest", report.Digest)
	})
}

// checkFolder says what a folder lacks, and what to do instead.
func checkFolder(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return usagef("There is no folder %s; octopus plugins new NAME makes one.", dir)
	case err != nil:
		return usagef("%s cannot be read: %v.", dir, unwrapPath(err))
	case !info.IsDir():
		return usagef("%s is a file, but must be the folder of a plugin.", dir)
	case !isFile(filepath.Join(dir, "plugin.yaml")):
		return usagef("%s holds no plugin.yaml; octopus plugins new NAME makes a folder that does.", dir)
	}
	sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(sources) == 0 {
		return usagef("%s holds no Go program; compile it to WASI with its own tools, then use: octopus plugins pack %s", dir, dir)
	}
	if !isFile(filepath.Join(dir, "go.mod")) && !inModule(dir) {
		return usagef("%s is in no Go module; write a go.mod with: go mod init example/%s", dir, filepath.Base(dir))
	}
	return nil
}

// inModule looks for go.mod in the folders above.
func inModule(dir string) bool {
	path, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for up := filepath.Dir(path); up != path; path, up = up, filepath.Dir(up) {
		if isFile(filepath.Join(up, "go.mod")) {
			return true
		}
	}
	return false
}

// compile runs the Go compiler, whose complaints go to standard error as they are.
func (a *app) compile(ctx context.Context, tool, dir, out string) error {
	cmd := exec.CommandContext(ctx, tool, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err := cmd.Run()
	if err == nil && isArchive(out) {
		return usagef("%s is no program: a plugin is package main.", dir)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fmt.Fprint(a.Err, said.String())
	if text := said.String(); strings.Contains(text, "unsupported GOOS/GOARCH") || strings.Contains(text, "go.mod requires go >=") {
		return usagef("This Go is too old: building needs Go %s or newer; install it with: %s", goForPlugins, installGo())
	}
	return exitError{code: ExitFailed, err: fmt.Errorf("%s does not compile; the lines above say why", dir)}
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
