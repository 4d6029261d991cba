package dispatch

import (
	"context"
	"encoding/json"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
)

// Catalog is what dispatch needs to know of plugins; *catalog.Catalog answers from memory, because most of it is on
// the path of every run.
type Catalog interface {
	// Resolve finds the version that a name and a wish (exact, a range, "" for the newest) mean, with its grant, and
	// refuses in one sentence what may not run: unknown, disabled, revoked.
	Resolve(ctx context.Context, plugin, version string) (octopus.PluginVersion, error)
	// Manifest reads the manifest of a version.
	Manifest(ctx context.Context, digest string) (spec.Manifest, error)
	// Check validates params against the action's schema; the error names the fields as "/params/url". It returns
	// them with the schema's defaults filled in.
	Check(ctx context.Context, v octopus.PluginVersion, action string, params json.RawMessage) (json.RawMessage, error)
	// MissingGrants says, a sentence each, what the version asks for and was not granted.
	MissingGrants(ctx context.Context, v octopus.PluginVersion) []string
	// EffectiveGrant is what the version may do: manifest ∩ grant.
	EffectiveGrant(v octopus.PluginVersion) (spec.Capabilities, error)
}
