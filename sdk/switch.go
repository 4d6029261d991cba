package sdk

import "context"

// PluginRef names a plugin or, with Version, one of its versions.
type PluginRef struct {
	Plugin  string `json:"plugin" minLength:"1" maxLength:"64"`
	Version string `json:"version,omitempty" maxLength:"64" doc:"Left out: the plugin as a whole."`
}

// SwitchPlugins is the body that enables or disables plugins and versions.
type SwitchPlugins struct {
	Enabled bool        `json:"enabled" doc:"Whether new runs may use them."`
	Plugins []PluginRef `json:"plugins" minItems:"1" maxItems:"200"`
}

// SwitchedPlugins says what became of each, in the order in which they were named.
type SwitchedPlugins struct {
	Items []SwitchedPlugin `json:"items"`
}

// SwitchedPlugin is what became of one.
type SwitchedPlugin struct {
	PluginRef
	Changed bool           `json:"changed" doc:"False where it was so already, or with error."`
	Was     string         `json:"was,omitempty" enum:"published,disabled,deprecated,revoked" doc:"Before: the status of a version; of a plugin published while it was enabled."`
	Error   *SwitchProblem `json:"error,omitempty" doc:"Why it stays as it was; the others are switched all the same."`
}

// SwitchProblem is why something could not be switched.
type SwitchProblem struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// SwitchPlugins enables or disables many plugins and versions, each by itself.
func (c *Client) SwitchPlugins(ctx context.Context, s SwitchPlugins) (done SwitchedPlugins, err error) {
	err = c.do(ctx, "POST", "/plugins/switch", nil, s, &done)
	return done, err
}
