package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/manifest"
	"octopus/wasmplugins/toolchain"
)

// localPluginCommands are the author's verbs of `octopus plugins`: they need no server.
func (a *app) localPluginCommands() []*cobra.Command {
	return []*cobra.Command{a.pluginNew(), a.pluginBuild(), a.pluginInspect(), a.pluginPack(), a.pluginRunLocal(), a.pluginTest(), a.pluginDev()}
}

// module is a wasm file with what can be known of it without running it.
type module struct {
	file     string
	bytes    []byte
	manifest *spec.Manifest // nil without one
}

// name is the plugin's, by its manifest.
func (m module) name() string {
	if m.manifest == nil {
		return "module"
	}
	return m.manifest.Name
}

// readModule reads a file that a command was given.
func readModule(file string) (module, error) {
	raw, err := readAtMost(file, wasmplugins.MaxModule)
	if err != nil {
		return module{}, err
	}
	m := module{file: file, bytes: raw}
	found, err := wasmplugins.ManifestOf(raw)
	switch {
	case errors.Is(err, wasmplugins.ErrNoManifest):
		return m, nil
	case err != nil:
		return m, exitError{code: ExitUsage, err: fmt.Errorf("%s: %w", file, err)}
	}
	m.manifest = &found
	return m, nil
}

func readAtMost(file string, limit int64) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist) && !strings.ContainsAny(file, `./\`):
		return nil, usagef("There is no file %s. For a plugin on the server use: octopus plugins get %s, octopus run %s.", file, file, file)
	case errors.Is(err, os.ErrNotExist):
		return nil, usagef("There is no file %s.", file)
	case err != nil:
		return nil, usagef("%s cannot be read: %v.", file, err)
	case info.IsDir():
		return nil, usagef("%s is a folder, but must be a wasm file.", file)
	case info.Size() > limit:
		return nil, usagef("%s is over %d MiB.", file, limit>>20)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, usagef("%s cannot be read: %v.", file, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1)) // a pipe or a device does not say how much it holds
	switch {
	case err != nil:
		return nil, usagef("%s cannot be read: %v.", file, err)
	case int64(len(raw)) > limit:
		return nil, usagef("%s is over %d MiB.", file, limit>>20)
	}
	return raw, nil
}

func (a *app) pluginPack() *cobra.Command {
	var manifestFile, out string
	c := &cobra.Command{
		Use:   "pack FOLDER|FILE",
		Short: "Check a manifest and put it into the module",
		Long: `Check plugin.yaml and the module, and put the manifest into the module as the custom section
octopus.manifest. Pack last: tools that shrink modules drop custom sections. Packing again replaces it.

A folder must hold plugin.yaml and one module: plugin.wasm, NAME.wasm, or the only .wasm file; or a script,
plugin.js, which is put into the engine for scripts: NAME.wasm.`,
		Args: exactly("FOLDER|FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.pack(args[0], manifestFile, out)
		},
	}
	c.Flags().StringVar(&manifestFile, "manifest", "", "manifest (default: plugin.yaml beside the module)")
	c.Flags().StringVar(&out, "out", "", "where to write the packed module (default: into the module itself)")
	return c
}

func (a *app) pack(path, manifestFile, out string) error {
	dir, file := filepath.Dir(path), path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dir, file = path, ""
	}
	if manifestFile == "" {
		manifestFile = filepath.Join(dir, "plugin.yaml")
	}
	m, err := a.readManifest(manifestFile)
	if err != nil {
		return err
	}
	if script := scriptIn(path); script != "" {
		return a.packScript(filepath.Dir(script), m, out)
	}
	if file == "" {
		if file, err = findModule(dir, m.spec.Name); err != nil {
			return err
		}
	}
	report, err := m.packInto(file, file, cmp.Or(out, file))
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "Packed %s %s into %s.\n", report.Name, report.Version, report.File)
	return a.print(report, nil)
}

// packedManifest is a valid manifest, and as it goes into a module.
type packedManifest struct {
	json []byte
	spec spec.Manifest
}

// readManifest reads and checks plugin.yaml.
func (a *app) readManifest(file string) (packedManifest, error) {
	source, err := readAtMost(file, manifest.MaxSource)
	if err != nil {
		return packedManifest{}, err
	}
	packed, m, err := manifest.FromYAML(source)
	if err != nil {
		return packedManifest{}, a.refusePack(file, source, err)
	}
	return packedManifest{json: packed, spec: m}, nil
}

// packInto packs the manifest and the module in a file into another file, or into the same one. Refusals call the
// module by its name, which may be another than the file's.
func (m packedManifest) packInto(file, name, out string) (packReport, error) {
	raw, err := readAtMost(file, wasmplugins.MaxModule)
	if err != nil {
		return packReport{}, err
	}
	result, err := wasmplugins.Pack(raw, m.json)
	if err == nil {
		_, err = wasmplugins.Check(result, uint64(m.spec.Limits.Memory))
	}
	if err != nil {
		return packReport{}, exitError{code: ExitUsage, err: fmt.Errorf("%s: %w", name, err)}
	}
	if err := os.WriteFile(out, result, 0o644); err != nil {
		return packReport{}, fmt.Errorf("%s cannot be written: %w", out, err)
	}
	return packReport{File: out, Name: m.spec.Name, Version: m.spec.Version, Digest: wasmplugins.Digest(result), Size: len(result)}, nil
}

// scriptIn is the script that a path means: the file itself, or the one in a folder; "" where it means a module.
func scriptIn(path string) string {
	if inside := filepath.Join(path, toolchain.ScriptFile); isFile(inside) {
		return inside
	}
	if filepath.Base(path) == toolchain.ScriptFile && isFile(path) {
		return path
	}
	return ""
}

// packScript puts script and manifest into the engine.
func (a *app) packScript(dir string, m packedManifest, out string) error {
	report, err := a.compileAndPack(context.Background(), dir, m, cmp.Or(out, filepath.Join(dir, m.spec.Name+".wasm")))
	if err != nil {
		return err
	}
	fmt.Fprintf(a.Err, "Packed %s %s into %s.\n", report.Name, report.Version, report.File)
	return a.print(report, nil)
}

type packReport struct {
	File    string `json:"file"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
	Size    int    `json:"size"`
}

// refusePack writes each problem on a line of its own, after its place as editors understand it.
func (a *app) refusePack(file string, source []byte, err error) error {
	for _, f := range manifest.Faults(source, err) {
		place := file
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", file, f.Line)
		}
		if f.Path != "" {
			place += ": " + f.Path
		}
		fmt.Fprintf(a.Err, "%s: %s\n", place, f.Message)
	}
	return exitError{code: ExitUsage}
}

func findModule(dir, name string) (string, error) {
	for _, try := range []string{"plugin.wasm", name + ".wasm"} {
		if file := filepath.Join(dir, try); isFile(file) {
			return file, nil
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.wasm"))
	if err != nil || len(found) == 0 {
		return "", usagef("%s holds no .wasm file. Build the plugin first.", dir)
	}
	if len(found) > 1 {
		return "", usagef("%s holds %d .wasm files; name the one to pack.", dir, len(found))
	}
	return found[0], nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
