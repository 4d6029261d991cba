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
	// Choose finds the version that a name and a wish (exact, a range, a ring, "" for the newest) mean for one run, with
	// its grant, and refuses in one sentence what may not run: unknown, disabled, revoked, held. onTrial: how the run's
	// executions end is compared, because a version of the plugin is on trial.
	Choose(ctx context.Context, plugin, version, runID string) (v octopus.PluginVersion, onTrial bool, err error)
	// Judge compares the versions of a plugin that are on trial, "" of all plugins, and holds what fails more often.
	Judge(ctx context.Context, plugin string) error
	// Manifest reads the manifest of a version.
	Manifest(ctx context.Context, digest string) (spec.Manifest, error)
	// Check validates params against the action's schema; the error names the fields as "/params/url". It returns
	// them with the schema's defaults filled in.
	Check(ctx context.Context, v octopus.PluginVersion, action string, params json.RawMessage) (json.RawMessage, error)
	// MissingGrants says, a sentence each, what the version asks for and was not granted.
	MissingGrants(ctx context.Context, v octopus.PluginVersion) []string
	// MissingSecrets says, a sentence each, which secrets an action of the version may use and nobody stored.
	MissingSecrets(ctx context.Context, v octopus.PluginVersion, action string) []string
	// Config is the plugin's configuration as the version gets it, nil for none, or an error for people: it does not fit.
	Config(ctx context.Context, v octopus.PluginVersion) (json.RawMessage, error)
	// EffectiveGrant is what the version may do: manifest ∩ grant.
	EffectiveGrant(v octopus.PluginVersion) (spec.Capabilities, error)
}
