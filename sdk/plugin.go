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

// VersionAgent is an agent that fetched a version of a plugin, or ran it lately.
type VersionAgent struct {
	AgentID   string    `json:"agent_id"`
	AgentName string    `json:"agent_name"`
	Fetches   int64     `json:"fetches,omitempty" doc:"How often it downloaded the module."`
	FetchedAt time.Time `json:"fetched_at,omitzero" doc:"The last time. Left out: never."`
	Runs      int64     `json:"runs,omitempty" doc:"How many of the newest 5,000 executions of the plugin it ran with this version."`
	RanAt     time.Time `json:"ran_at,omitzero" doc:"When the last of them ended, or began. Left out: none did."`
}

// VersionAgents lists the agents that fetched a version, or ran it lately; the latest first.
func (c *Client) VersionAgents(ctx context.Context, name, version string, l List) (page Page[VersionAgent], err error) {
	err = c.do(ctx, "GET", path("plugins", name, "versions", version, "agents"), l.values(), nil, &page)
	return page, err
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
