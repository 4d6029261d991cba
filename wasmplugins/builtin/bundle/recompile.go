package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"octopus/wasmplugins/toolchain"
)

// Recompiled is a plugin that is written in another language than Go, compiled
// anew. What is committed is the module alone, without its manifest.
type Recompiled struct {
	Name, Compiler string
	Module         []byte
	// CommittedCompiler made Committed, which is beside the sources.
	CommittedCompiler string
	Committed         []byte
}

// compilerFile names, beside a committed module, the compiler that made it.
const compilerFile = "compiled-with"

// Recompile compiles the plugins whose modules are committed: those of Rust and
// C. The error is *toolchain.Missing where a compiler is not there. Nothing
// is written.
func Recompile(ctx context.Context, c Config) ([]Recompiled, error) {
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
	var list []Recompiled
	for _, name := range names {
		dir := filepath.Join(folder(c.Root), name)
		language, ok := toolchain.Detect(dir)
		if !ok || language.Name != "rust" && language.Name != "c" {
			continue
		}
		r, err := recompile(ctx, language, dir, name)
		if err != nil {
			return nil, fmt.Errorf("plugin %s: %w", name, err)
		}
		list = append(list, r)
	}
	return list, nil
}

func recompile(ctx context.Context, language toolchain.Language, dir, name string) (Recompiled, error) {
	r := Recompiled{Name: name}
	tmp, err := os.MkdirTemp("", "octopus-plugin-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(tmp)
	out := filepath.Join(tmp, "plugin.wasm")
	err = language.Compile(ctx, dir, out)
	var failed *toolchain.Failed
	if errors.As(err, &failed) {
		return r, fmt.Errorf("%w\n%s", err, failed.Said)
	}
	if err != nil {
		return r, err
	}
	if r.Module, err = os.ReadFile(out); err != nil {
		return r, err
	}
	if r.Compiler, err = language.Compiler(ctx, dir); err != nil {
		return r, fmt.Errorf("compiler: %w", err)
	}
	if r.Committed, err = os.ReadFile(filepath.Join(dir, name+".wasm")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return r, err
	}
	with, err := os.ReadFile(filepath.Join(dir, compilerFile))
	if len(with) > 0 {
		r.CommittedCompiler = string(with[:len(with)-1])
	}
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return r, err
}

// Commit writes the module and its compiler's name beside the sources.
func (r Recompiled) Commit(root string) error {
	if root == "" {
		var err error
		if root, err = findRoot(); err != nil {
			return err
		}
	}
	dir := filepath.Join(folder(root), r.Name)
	if _, err := replace(filepath.Join(dir, r.Name+".wasm"), r.Module); err != nil {
		return err
	}
	_, err := replace(filepath.Join(dir, compilerFile), []byte(r.Compiler+"\n"))
	return err
}
