package cli

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/manifest"
)

// localPluginCommands are the author's verbs of `octopus plugins`: they need no server.
func (a *app) localPluginCommands() []*cobra.Command {
	return []*cobra.Command{a.pluginNew(), a.pluginBuild(), a.pluginInspect(), a.pluginPack(), a.pluginRunLocal(), a.pluginTest()}
}

// module is a wasm file with what can be known of it without running it.
type module struct {
	file     string
	bytes    []byte
	manifest *spec.Manifest // nil without one
}

// readModule reads a file that a command was given; see "A path given to plugins is a file".
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
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, usagef("%s cannot be read: %v.", file, err)
	}
	return raw, nil
}

func (a *app) pluginPack() *cobra.Command {
	var manifestFile, out string
	c := &cobra.Command{
		Use:   "pack FOLDER|FILE.wasm",
		Short: "Check a manifest and put it into the module",
		Long: `Check plugin.yaml and the module, and put the manifest into the module as the custom section
octopus.manifest. Pack last: tools that shrink modules drop custom sections. Packing again replaces it.

A folder must hold plugin.yaml and one module: plugin.wasm, NAME.wasm, or the only .wasm file.`,
		Example: "  octopus plugins pack ./hello\n  octopus plugins pack hello.wasm --manifest plugin.yaml --out hello-1.0.0.wasm",
		Args:    exactly("FOLDER|FILE.wasm"),
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
		return packedManifest{}, a.refusePack(file, err)
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

type packReport struct {
	File    string `json:"file"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
	Size    int    `json:"size"`
}

// refusePack writes each problem on a line of its own.
func (a *app) refusePack(file string, err error) error {
	invalid, ok := errors.AsType[*manifest.Invalid](err)
	if !ok {
		return exitError{code: ExitUsage, err: fmt.Errorf("%s: %w", file, err)}
	}
	for _, p := range invalid.Problems {
		fmt.Fprintf(a.Err, "%s: %s: %s\n", file, p.Path, p.Message)
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
