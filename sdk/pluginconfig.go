package sdk

import (
	"context"
	"encoding/json"
	"time"
)

// PluginConfig is what administrators filled in for a plugin. It arrives in the requests of every version that has a
// schema for it. Secrets do not belong there.
type PluginConfig struct {
	Config    json.RawMessage `json:"config" doc:"An object, as it was filled in; what is left out has the schema's default."`
	Schema    json.RawMessage `json:"schema,omitempty" doc:"The JSON Schema of the version that most runs get; left out where it takes no configuration."`
	Problems  []string        `json:"problems,omitempty" doc:"Why versions that runs get cannot run with it, a sentence each."`
	UpdatedAt time.Time       `json:"updated_at,omitzero"`
	UpdatedBy string          `json:"updated_by,omitempty"`
}

// SetPluginConfig is the body of PUT /plugins/{name}/config.
type SetPluginConfig struct {
	Config json.RawMessage `json:"config" doc:"An object that takes the place of what was there; null removes it."`
}

// PluginConfig returns what was filled in for a plugin.
func (c *Client) PluginConfig(ctx context.Context, plugin string) (config PluginConfig, err error) {
	err = c.do(ctx, "GET", path("plugins", plugin, "config"), nil, nil, &config)
	return config, err
}

// SetPluginConfig replaces it; "null" removes it.
func (c *Client) SetPluginConfig(ctx context.Context, plugin string, config json.RawMessage) (now PluginConfig, err error) {
	err = c.do(ctx, "PUT", path("plugins", plugin, "config"), nil, SetPluginConfig{Config: config}, &now)
	return now, err
}
