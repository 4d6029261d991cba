package sdk

import (
	"context"
	"encoding/json"
	"time"
)

// Plugin is a name with its versions.
type Plugin struct {
	ID          string          `json:"id"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Source      string          `json:"source" doc:"builtin or uploaded."`
	Enabled     bool            `json:"enabled"`
	Runs        int64           `json:"runs"`
	Tasks       int             `json:"tasks" doc:"Tasks that use it."`
	LastUsed    time.Time       `json:"last_used,omitzero"`
	CreatedAt   time.Time       `json:"created_at"`
	Versions    []PluginVersion `json:"versions,omitempty" doc:"Newest first; only the newest in lists."`
}

// PluginVersion is an immutable module.
type PluginVersion struct {
	Plugin    string          `json:"plugin"`
	Version   string          `json:"version"`
	Digest    string          `json:"digest" doc:"sha256: and 64 hex digits."`
	SizeBytes int64           `json:"size_bytes"`
	Status    string          `json:"status" enum:"published,disabled,deprecated,revoked"`
	Author    string          `json:"author,omitempty"`
	License   string          `json:"license,omitempty"`
	Manifest  json.RawMessage `json:"manifest,omitempty" doc:"What the plugin says of itself: actions with parameters, capabilities, limits."`
	Grant     *Grant          `json:"grant,omitempty" doc:"What an administrator allows it to do."`

	Unsandboxed bool `json:"unsandboxed,omitempty" doc:"It asks for commands or scripts, which run outside the sandbox with the rights of the agent's user."`

	Ring        string    `json:"ring" enum:"canary,early,all" doc:"Which runs that follow the plugin get it: 5 %, 25 % or all."`
	Held        bool      `json:"held,omitempty" doc:"It is stopped: only runs that name it exactly get it."`
	HeldWhy     string    `json:"held_why,omitempty"`
	RingMovedAt time.Time `json:"ring_moved_at,omitzero" doc:"When it was placed, moved, held or resumed last. Left out: never."`
	RingMovedBy string    `json:"ring_moved_by,omitempty" doc:"A user, or octopus."`
	Outcomes    *Outcomes `json:"outcomes,omitempty" doc:"How executions ended that are compared, since its ring was moved. Left out where none were, and of the list of plugins."`

	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by,omitempty"`

	Downloads int64    `json:"downloads,omitempty" doc:"How often agents fetched it; left out of the list of plugins."`
	Agents    int64    `json:"agents,omitempty" doc:"How many agents fetched it; left out of the list of plugins."`
	SignedBy  []string `json:"signed_by,omitempty" doc:"The keys that signed it; of a single version only."`
}

// Grant is what an administrator allows one plugin digest to do.
type Grant struct {
	Digest       string          `json:"digest"`
	Plugin       string          `json:"plugin,omitempty"`
	Version      string          `json:"version,omitempty"`
	Capabilities json.RawMessage `json:"capabilities"`
	GrantedBy    string          `json:"granted_by,omitempty"`
	GrantedAt    time.Time       `json:"granted_at"`
	Missing      []string        `json:"missing,omitempty" doc:"Which secrets it may use and nobody stored, a sentence each. Not in lists."`
}

// NewGrant is the body of POST /grants.
type NewGrant struct {
	Plugin       string          `json:"plugin" minLength:"1" maxLength:"64"`
	Version      string          `json:"version,omitempty" maxLength:"64" doc:"Left out: the newest."`
	Capabilities json.RawMessage `json:"capabilities,omitempty" doc:"At most what the manifest asks for. Left out: all that it asks for."`
	// Secrets says which stored secret is meant by a name of the manifest. Defaults to what was bound before, or the
	// same name.
	Secrets map[string]string `json:"secrets,omitempty" doc:"Which stored secret is meant, by the name in the manifest. Left out: as before, or the same name."`
}

// Plugins lists the plugins with their newest version.
func (c *Client) Plugins(ctx context.Context) (page Page[Plugin], err error) {
	err = c.do(ctx, "GET", "/plugins", nil, nil, &page)
	return page, err
}

// Plugin returns a plugin with all its versions.
func (c *Client) Plugin(ctx context.Context, name string) (p Plugin, err error) {
	err = c.do(ctx, "GET", path("plugins", name), nil, nil, &p)
	return p, err
}

// PluginVersion returns one version with its manifest and grant.
func (c *Client) PluginVersion(ctx context.Context, name, version string) (v PluginVersion, err error) {
	err = c.do(ctx, "GET", path("plugins", name, "versions", version), nil, nil, &v)
	return v, err
}

// UploadPlugin publishes a packed module (octopus plugins pack). It may do nothing until it is granted.
func (c *Client) UploadPlugin(ctx context.Context, wasm []byte, options ...CallOption) (v PluginVersion, err error) {
	return c.UploadPluginInto(ctx, wasm, "", options...)
}

// EnablePlugin lets a plugin run, or not. With a version it is about that one only.
func (c *Client) EnablePlugin(ctx context.Context, name, version string, enabled bool) error {
	verb := "disable"
	if enabled {
		verb = "enable"
	}
	if version == "" {
		return c.do(ctx, "POST", path("plugins", name, verb), nil, nil, nil)
	}
	return c.do(ctx, "POST", path("plugins", name, "versions", version, verb), nil, nil, nil)
}

// ChangeVersion moves one version through its life: enable, disable, deprecate or revoke, which is for good.
func (c *Client) ChangeVersion(ctx context.Context, name, version, verb string) error {
	return c.do(ctx, "POST", path("plugins", name, "versions", version, verb), nil, nil, nil)
}

// Grants lists what administrators allowed.
func (c *Client) Grants(ctx context.Context) (page Page[Grant], err error) {
	err = c.do(ctx, "GET", "/grants", nil, nil, &page)
	return page, err
}

// Grant allows a plugin version to do something; it replaces what was granted before.
func (c *Client) Grant(ctx context.Context, g NewGrant, options ...CallOption) (grant Grant, err error) {
	err = c.do(ctx, "POST", "/grants", nil, g, &grant, options...)
	return grant, err
}

// RevokeGrant takes everything away that a digest was allowed.
func (c *Client) RevokeGrant(ctx context.Context, digest string) error {
	return c.do(ctx, "DELETE", path("grants", digest), nil, nil, nil)
}
