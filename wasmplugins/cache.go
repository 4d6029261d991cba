package wasmplugins

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"octopus/wasmplugins/internal/fuel"
)

// cache is the folder of compiled modules: <dir>/compiled/<version>/<form>,
// each as wazero wrote it. Compile children write fresh folders beside it;
// only this process moves them in, and runners only read.
type cache struct {
	root  string // of this compiler's version
	fresh string
	spill string
}

// clampVersion goes into the cache's path: it changes with what rewrite makes.
const clampVersion = "2"

func newCache(dir string) (*cache, error) {
	c := &cache{
		root:  filepath.Join(dir, "compiled", compilerVersion()),
		fresh: filepath.Join(dir, "fresh"),
		spill: filepath.Join(dir, "spill"),
	}
	for _, folder := range []string{c.root, c.fresh, c.spill} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, fmt.Errorf("sandbox folder: %w", err)
		}
	}
	sweep(c.fresh)
	sweep(c.spill)
	return c, nil
}

// sweep removes what processes that died left behind. Two pools may share a
// folder (commands side by side), so what is young stays.
func sweep(folder string) {
	list, err := os.ReadDir(folder)
	if err != nil {
		return
	}
	for _, e := range list {
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = removeAll(filepath.Join(folder, e.Name()))
		}
	}
}

// removeAll also removes folders that are read-only.
func removeAll(path string) error {
	_ = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			_ = os.Chmod(p, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

// compilerVersion names everything that compiled code depends on, but for the
// processor's features, which wazero has in its own key.
func compilerVersion() string {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == "github.com/tetratelabs/wazero" {
				version = dep.Version
			}
		}
	}
	return fmt.Sprintf("wazero-%s-%s-%s-%s", version, runtime.GOOS, runtime.GOARCH, clampVersion)
}

// errNotCompiled is what find says of a module that has to be compiled.
var errNotCompiled = errors.New("not compiled yet")

// form is what is compiled of a module: as it is, or so that it counts fuel.
// Runners belong to the digest of a whole module, compiled code to that of what
// codeOf leaves of it.
type form struct {
	digest string
	fuel   bool
}

func (c *cache) folder(f form) string {
	name := strings.TrimPrefix(f.digest, "sha256:")
	if f.fuel {
		name += "-fuel-" + fuel.Version
	}
	return filepath.Join(c.root, name)
}

// find returns a compiled module's folder and the size of its code in bytes.
func (c *cache) find(f form) (folder string, code int64, err error) {
	if !digestShape.MatchString(f.digest) {
		return "", 0, fmt.Errorf("%q is not a digest such as \"sha256:…\"", f.digest)
	}
	folder = c.folder(f)
	code, err = inspect(folder)
	if errors.Is(err, fs.ErrNotExist) {
		err = errNotCompiled
	}
	return folder, code, err
}

var (
	digestShape = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
	entryShape  = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// maxCode is the largest compiled module, in bytes.
const maxCode = 512 << 20

// inspect checks that a folder holds one wazero-… folder with one plain file,
// and nothing else, and returns the file's size.
func inspect(folder string) (int64, error) {
	inner, err := only(folder, func(e fs.DirEntry) bool {
		return e.Type().IsDir() && strings.HasPrefix(e.Name(), "wazero-")
	})
	if err != nil {
		return 0, err
	}
	file, err := only(inner, func(e fs.DirEntry) bool {
		return e.Type().IsRegular() && entryShape.MatchString(e.Name())
	})
	if err != nil {
		return 0, err
	}
	info, err := os.Lstat(file)
	if err != nil {
		return 0, err
	}
	if info.Size() == 0 || info.Size() > maxCode {
		return 0, fmt.Errorf("compiled module of %d bytes", info.Size())
	}
	return info.Size(), nil
}

// only returns the path of a folder's single entry, which must be as wanted.
func only(folder string, wanted func(fs.DirEntry) bool) (string, error) {
	f, err := os.Open(folder)
	if err != nil {
		return "", err
	}
	defer f.Close()
	list, err := f.ReadDir(2)
	if err != nil && len(list) == 0 {
		return "", fmt.Errorf("compiled module: empty folder %s", filepath.Base(folder))
	}
	if len(list) != 1 || !wanted(list[0]) {
		return "", fmt.Errorf("compiled module: unexpected %s", list[0].Name())
	}
	return filepath.Join(folder, list[0].Name()), nil
}

// adopt verifies what a compile child wrote and moves it in.
func (c *cache) adopt(fresh string, f form) error {
	if _, err := inspect(fresh); err != nil {
		return err
	}
	err := filepath.WalkDir(fresh, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return own(path, d.IsDir())
	})
	if err != nil {
		return fmt.Errorf("compiled module: %w", err)
	}
	target := c.folder(f)
	if _, err := inspect(target); err == nil {
		return nil // another pool on the same folder was first
	}
	if err := removeAll(target); err != nil {
		return fmt.Errorf("compiled module: %w", err)
	}
	if err := os.Rename(fresh, target); err != nil {
		if _, other := inspect(target); other == nil {
			return nil
		}
		return fmt.Errorf("compiled module: %w", err)
	}
	return nil
}

// drop forgets a compiled module that a runner could not use.
func (c *cache) drop(f form) error { return removeAll(c.folder(f)) }
