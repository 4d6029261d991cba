package toolchain

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"octopus/sdk/javascript"
	"octopus/wasmplugins"
)

// ScriptFile is the source of a script plugin.
const ScriptFile = "plugin.js"

// compileScript puts plugin.js into the engine. It needs no tool. Faults of
// the script itself are found when it first runs.
func compileScript(_ context.Context, dir, out string) error {
	source, err := os.ReadFile(filepath.Join(dir, ScriptFile))
	if err != nil {
		return fmt.Errorf("script: %w", err)
	}
	engine, err := javascript.Engine()
	if err != nil {
		return err
	}
	module, err := wasmplugins.PackScript(engine, source)
	if err != nil {
		return &Failed{Hint: fmt.Sprintf("%s: %v", ScriptFile, err)}
	}
	if err := os.WriteFile(out, module, 0o644); err != nil {
		return fmt.Errorf("module: %w", err)
	}
	return nil
}
