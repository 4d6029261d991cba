// Package builtin holds the plugins that are shipped inside the binary,
// compressed. They are compiled by "go run ./wasmplugins/builtin/build"; a
// binary that was built without that step has only noop, which is committed.
package builtin

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

//go:embed dist
var dist embed.FS

// maxModule caps what one embedded module may grow to, in bytes.
const maxModule = 32 << 20

// Plugin is one built-in plugin. Its module is decompressed when asked for.
type Plugin struct {
	Name   string
	Digest string // "sha256:<hex>" of the packed module
	Inputs string // hash of what it was built from; "" for noop
	raw    []byte
	zipped bool
}

// All lists the built-in plugins of this binary, by name.
func All() ([]Plugin, error) { return From(dist) }

// Complete reports whether the binary was built with its plugins: without
// them only noop is there.
func Complete() bool {
	plugins, err := All()
	return err == nil && len(plugins) > 1
}

// From lists the plugins in the folder "dist" of any file system.
func From(files fs.FS) ([]Plugin, error) {
	entries, err := fs.ReadDir(files, "dist")
	if err != nil {
		return nil, fmt.Errorf("built-in plugins: %w", err)
	}
	var plugins []Plugin
	for _, e := range entries {
		name, ok := strings.CutSuffix(strings.TrimSuffix(e.Name(), ".gz"), ".wasm")
		if !ok {
			continue
		}
		raw, err := fs.ReadFile(files, path.Join("dist", e.Name()))
		if err != nil {
			return nil, fmt.Errorf("built-in plugin %s: %w", name, err)
		}
		p := Plugin{Name: name, raw: raw, zipped: strings.HasSuffix(e.Name(), ".gz")}
		if err := p.identify(); err != nil {
			return nil, fmt.Errorf("built-in plugin %s: %w", name, err)
		}
		plugins = append(plugins, p)
	}
	return plugins, nil
}

// identify takes the digest from the gzip header, where the build put it, so
// that a start does not decompress what it already knows.
func (p *Plugin) identify() error {
	if !p.zipped {
		sum := sha256.Sum256(p.raw)
		p.Digest = "sha256:" + hex.EncodeToString(sum[:])
		return nil
	}
	z, err := gzip.NewReader(bytes.NewReader(p.raw))
	if err != nil {
		return err
	}
	digest, inputs, ok := strings.Cut(z.Comment, " ")
	if !ok || !strings.HasPrefix(digest, "sha256:") {
		return fmt.Errorf("the archive does not name its digest; build the plugins again")
	}
	p.Digest, p.Inputs = digest, inputs
	return nil
}

// Module decompresses the packed module. Its digest is not checked here: who
// loads it does that.
func (p Plugin) Module() ([]byte, error) {
	if !p.zipped {
		return p.raw, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(p.raw))
	if err != nil {
		return nil, fmt.Errorf("built-in plugin %s: %w", p.Name, err)
	}
	module, err := io.ReadAll(io.LimitReader(z, maxModule+1))
	if err != nil {
		return nil, fmt.Errorf("built-in plugin %s: %w", p.Name, err)
	}
	if len(module) > maxModule {
		return nil, fmt.Errorf("built-in plugin %s is over %d MiB", p.Name, maxModule>>20)
	}
	return module, nil
}
