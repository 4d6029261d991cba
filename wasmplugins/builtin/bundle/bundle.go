// Package bundle compiles the built-in plugins, packs their manifests and
// compresses them for embedding. Plugins whose sources did not change are
// left alone. It needs only the Go toolchain that built it: modules from other
// languages are committed beside their sources, and scripts need no compiler.
package bundle

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"octopus/sdk/javascript"
	"octopus/wasmplugins"
	"octopus/wasmplugins/manifest"

	"golang.org/x/sync/errgroup"
)

// Config says what to build.
type Config struct {
	// Root is the module's root folder. Defaults to the folder with go.mod
	// above the working directory.
	Root string
	// Only names the plugins to build. Defaults to all.
	Only []string
	// Parallel is how many compile at once. Defaults to 2.
	Parallel int
	// OnDone is called for each plugin, from several goroutines.
	OnDone func(Built)
}

// Built is one plugin after its turn.
type Built struct {
	Name     string
	File     string // in dist
	Fresh    bool   // false: was up to date
	Module   int    // bytes, packed
	Archive  int64  // bytes in dist
	Duration time.Duration
}

// Build brings dist up to date and returns what is there, by name.
func Build(ctx context.Context, c Config) ([]Built, error) {
	if c.Root == "" {
		root, err := findRoot()
		if err != nil {
			return nil, err
		}
		c.Root = root
	}
	names, err := plugins(c.Root, c.Only)
	if err != nil {
		return nil, err
	}
	if c.Parallel <= 0 {
		c.Parallel = 2
	}
	built := make([]Built, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(c.Parallel)
	for i, name := range names {
		g.Go(func() error {
			b, err := one(ctx, c.Root, name)
			if err != nil {
				return fmt.Errorf("plugin %s: %w", name, err)
			}
			built[i] = b
			if c.OnDone != nil {
				c.OnDone(b)
			}
			return nil
		})
	}
	return built, g.Wait()
}

// one builds a plugin unless the archive in dist names the same inputs.
func one(ctx context.Context, root, name string) (Built, error) {
	start := time.Now()
	dir := filepath.Join(folder(root), name)
	raw, handmade, err := readymade(dir, name)
	if err != nil {
		return Built{}, err
	}
	b := Built{Name: name, File: filepath.Join(folder(root), "dist", name+".wasm.gz")}
	if handmade {
		b.File = strings.TrimSuffix(b.File, ".gz")
	}
	inputs, err := hashInputs(root, dir)
	if err != nil {
		return b, fmt.Errorf("sources: %w", err)
	}
	if info, err := os.Stat(b.File); err == nil && !handmade && archiveInputs(b.File) == inputs {
		b.Archive, b.Duration = info.Size(), time.Since(start)
		return b, nil
	}
	if raw == nil {
		if raw, err = compile(ctx, root, name); err != nil {
			return b, err
		}
	}
	module, err := pack(dir, raw)
	if err != nil {
		return b, err
	}
	b.Module = len(module)
	content := module
	if !handmade {
		if content, err = compress(module, wasmplugins.Digest(module)+" "+inputs); err != nil {
			return b, fmt.Errorf("compress: %w", err)
		}
	}
	b.Archive = int64(len(content))
	b.Fresh, err = replace(b.File, content)
	b.Duration = time.Since(start)
	return b, err
}

// readymade reads a module for which nothing has to be compiled: a committed
// one, or the engine with a script; nil where there is neither. One that was
// written by hand, as text, is committed in dist, too.
func readymade(dir, name string) (raw []byte, handmade bool, err error) {
	script, err := os.ReadFile(filepath.Join(dir, "plugin.js"))
	if err == nil {
		raw, err = withEngine(script)
		return raw, false, err
	}
	raw, err = os.ReadFile(filepath.Join(dir, name+".wasm"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	_, missing := os.Stat(filepath.Join(dir, name+".wat"))
	return raw, missing == nil, err
}

func withEngine(script []byte) ([]byte, error) {
	engine, err := javascript.Engine()
	if err != nil {
		return nil, err
	}
	return wasmplugins.PackScript(engine, script)
}

// compile runs the Go compiler for WASI preview 1; it makes a reactor, which
// begins once for many executions. Nothing of the machine gets into the module:
// the same toolchain makes the same bytes anywhere.
func compile(ctx context.Context, root, name string) ([]byte, error) {
	tmp, err := os.MkdirTemp("", "octopus-plugin-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "plugin.wasm")
	cmd := exec.CommandContext(ctx, "go", "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=",
		"-o", out, "./wasmplugins/builtin/"+name)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOWASM=", "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, strings.TrimSpace(stderr.String()))
	}
	module, err := os.ReadFile(out)
	if err != nil {
		return nil, err
	}
	info, err := wasmplugins.Check(module, 0)
	if err == nil && !info.Snapshot {
		err = errors.New("what it initialises cannot be kept")
	}
	return module, err
}

// pack checks the module as an agent will, and puts the manifest into it.
func pack(dir string, raw []byte) ([]byte, error) {
	source, err := os.ReadFile(filepath.Join(dir, "plugin.yaml"))
	if err != nil {
		return nil, err
	}
	packed, m, err := manifest.FromYAML(source)
	if err != nil {
		return nil, fmt.Errorf("plugin.yaml: %w", err)
	}
	if m.Name != filepath.Base(dir) {
		return nil, fmt.Errorf("plugin.yaml: name: the folder is %s, but the name is %s", filepath.Base(dir), m.Name)
	}
	module, err := wasmplugins.Pack(raw, packed)
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	if _, err := wasmplugins.Check(module, uint64(m.Limits.Memory)); err != nil {
		return nil, fmt.Errorf("check: %w", err)
	}
	return module, nil
}

// compress writes a gzip whose header carries comment: the digest and the
// hash of the inputs. Without a time the bytes are reproducible.
func compress(module []byte, comment string) ([]byte, error) {
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	z.Comment = comment
	if _, err := z.Write(module); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// replace writes a file by renaming, unless it already has the content.
func replace(file string, content []byte) (changed bool, err error) {
	if old, err := os.ReadFile(file); err == nil && bytes.Equal(old, content) {
		return false, nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".building-")
	if err != nil {
		return false, err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return false, err
	}
	return true, os.Rename(tmp.Name(), file)
}

// plugins lists the folders with a plugin.yaml.
func plugins(root string, only []string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(folder(root), "*", "plugin.yaml"))
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	var names []string
	for _, f := range found {
		name := filepath.Base(filepath.Dir(f))
		have[name] = true
		names = append(names, name)
	}
	if len(only) > 0 {
		names = only
	}
	for _, name := range names {
		if !have[name] {
			return nil, fmt.Errorf("there is no built-in plugin %s", name)
		}
	}
	sort.Strings(names)
	return names, nil
}

func folder(root string) string { return filepath.Join(root, "wasmplugins", "builtin") }
