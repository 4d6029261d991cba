// Package javascript holds what script plugins need: the engine, a QuickJS
// built as a WASI command, and the types for editors. An author needs neither
// this package nor a toolchain: octopus plugins build puts plugin.js into the
// engine.
package javascript

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the engine and the types
	"fmt"
	"io"
)

//go:embed engine/engine.wasm.gz
var engine []byte

//go:embed octopus.d.ts
var types string

// maxEngine caps what the engine may grow to, in bytes.
const maxEngine = 2 << 20

// Engine is the module without a script. wasmplugins.PackScript puts one in.
func Engine() ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(engine))
	if err != nil {
		return nil, fmt.Errorf("script engine: %w", err)
	}
	module, err := io.ReadAll(io.LimitReader(z, maxEngine+1))
	if err != nil {
		return nil, fmt.Errorf("script engine: %w", err)
	}
	if len(module) > maxEngine {
		return nil, fmt.Errorf("script engine of more than %d MiB", maxEngine>>20)
	}
	return module, nil
}

// Types is octopus.d.ts, which tells editors what a script finds.
func Types() string { return types }
