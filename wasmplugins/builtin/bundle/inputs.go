package bundle

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"octopus/sdk/javascript"
)

// recipe is part of the hash of inputs: change it when what is made of equal
// sources changes.
const recipe = "2"

// shared are the folders, beside its own, that every plugin is made of.
var shared = []string{"sdk/plugin", "wasmplugins/builtin/internal"}

// hashInputs hashes all that a plugin is built from, the toolchain included.
func hashInputs(root, dir string) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, recipe, runtime.Version())
	engine, err := javascript.Engine()
	if err != nil {
		return "", err
	}
	h.Write(engine)
	folders := []string{dir}
	for _, s := range shared {
		folders = append(folders, filepath.Join(root, filepath.FromSlash(s)))
	}
	for _, f := range folders {
		err := filepath.WalkDir(f, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !counts(d.Name()) {
				return err
			}
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			fmt.Fprintln(h, filepath.ToSlash(rel), len(content))
			h.Write(content)
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// counts leaves out what does not get into a module, such as tests.
func counts(name string) bool {
	return name == "plugin.yaml" || name == "plugin.js" || strings.HasSuffix(name, ".wasm") || strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go")
}

// archiveInputs reads the hash from an archive's header; "" if it has none.
func archiveInputs(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return ""
	}
	_, inputs, _ := strings.Cut(z.Comment, " ")
	return inputs
}

// findRoot walks up to the module that holds the plugins.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "wasmplugins", "builtin", "builtin.go")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("run this inside the source folder of Octopus")
		}
		dir = parent
	}
}
