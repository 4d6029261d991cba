package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"octopus/wasmplugins/toolchain"
)

func (a *app) pluginBuild() *cobra.Command {
	return &cobra.Command{
		Use:   "build [FOLDER]",
		Short: "Compile a plugin and pack it",
		Long: `Compile the program in FOLDER (default: this one) to WASI, put its plugin.yaml into it, and write
FOLDER/NAME.wasm. Nothing is written when the program does not compile or the manifest is not valid.

Known are Go (*.go), Rust (main.rs or Cargo.toml), C (*.c, with clang), AssemblyScript (index.ts) and JavaScript
(plugin.js, which needs no compiler). Where a compiler is missing, it says which command installs it. Plugins in
other languages are compiled with their own tools and packed with octopus plugins pack.`,
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
	report, err := a.buildFolder(ctx, dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "Built and packed.\nNext: octopus plugins test %s\n", report.File)
	return a.print(report, func(t *tabwriter.Writer) {
		row(t, "Plugin", report.Name+" "+report.Version)
		row(t, "File", report.File)
		row(t, "Size", fmt.Sprintf("%d KiB", (report.Size+1023)/1024))
		row(t, "Digest", report.Digest)
	})
}

// buildFolder compiles and packs; what was built before stays where that fails.
func (a *app) buildFolder(ctx context.Context, dir string) (packReport, error) {
	if err := checkFolder(dir); err != nil {
		return packReport{}, err
	}
	m, err := a.readManifest(filepath.Join(dir, "plugin.yaml"))
	if err != nil {
		return packReport{}, err
	}
	return a.compileAndPack(ctx, dir, m, filepath.Join(dir, m.spec.Name+".wasm"))
}

// compileAndPack compiles elsewhere first.
func (a *app) compileAndPack(ctx context.Context, dir string, m packedManifest, out string) (packReport, error) {
	language, ok := toolchain.Detect(dir)
	if !ok {
		return packReport{}, usagef("%s holds no program that is known here; compile it to WASI with its own tools, then use: octopus plugins pack %s", dir, dir)
	}
	tmp, err := os.MkdirTemp("", "octopus-build-")
	if err != nil {
		return packReport{}, fmt.Errorf("folder to build in: %w", err)
	}
	defer os.RemoveAll(tmp)
	compiled := filepath.Join(tmp, m.spec.Name+".wasm")
	if err := language.Compile(ctx, dir, compiled); err != nil {
		return packReport{}, a.compilerSaid(dir, err)
	}
	return m.packInto(compiled, out, out)
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
	if _, ok := toolchain.Detect(dir); !ok {
		return usagef("%s holds no program that is known here; compile it to WASI with its own tools, then use: octopus plugins pack %s", dir, dir)
	}
	return nil
}

// compilerSaid passes on a compiler's complaints as they are.
func (a *app) compilerSaid(dir string, err error) error {
	var missing *toolchain.Missing
	var failed *toolchain.Failed
	switch {
	case errors.As(err, &missing):
		return usagef("%s", missing)
	case errors.As(err, &failed) && failed.Hint != "":
		return usagef("%s", failed.Hint)
	case errors.As(err, &failed):
		fmt.Fprint(a.Err, failed.Said)
		return exitError{code: ExitFailed, err: fmt.Errorf("%s does not compile; the lines above say why", dir)}
	}
	return err
}
