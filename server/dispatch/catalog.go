package dispatch

import (
	"context"
	"encoding/json"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
)

// Catalog is what dispatch needs to know of plugins; *catalog.Catalog answers from memory, because Resolve and
// CheckParams are on the path of every run.
type Catalog interface {
	// Resolve finds the version that a name and a wish (exact, a range, "" for the newest) mean, and refuses in
	// one sentence what may not run: unknown, disabled, revoked.
	Resolve(ctx context.Context, plugin, version string) (octopus.PluginVersion, spec.Manifest, error)
	// CheckParams validates params against the action's schema; the error names the fields as "/params/url". It
	// returns them with the schema's defaults filled in.
	CheckParams(ctx context.Context, v octopus.PluginVersion, action string, params json.RawMessage) (json.RawMessage, error)
	// CheckGrant refuses a version whose manifest asks for more than was granted, naming what is missing.
	CheckGrant(ctx context.Context, v octopus.PluginVersion) error
	// Effective is what the version may do: manifest ∩ grant, as JSON of spec.Capabilities.
	Effective(ctx context.Context, v octopus.PluginVersion) (json.RawMessage, error)
	// Prefetch lists the published, enabled and granted versions that an agent may need soon, most used first.
	Prefetch(ctx context.Context) ([]octopus.PluginVersion, error)
}
