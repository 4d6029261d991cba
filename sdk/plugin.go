package sdk

import (
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
	CreatedAt time.Time       `json:"created_at"`
	CreatedBy string          `json:"created_by,omitempty"`
}

// Grant is what an administrator allows one plugin digest to do.
type Grant struct {
	Digest       string          `json:"digest"`
	Plugin       string          `json:"plugin,omitempty"`
	Version      string          `json:"version,omitempty"`
	Capabilities json.RawMessage `json:"capabilities"`
	GrantedBy    string          `json:"granted_by,omitempty"`
	GrantedAt    time.Time       `json:"granted_at"`
}

// NewGrant is the body of POST /grants.
type NewGrant struct {
	Plugin       string          `json:"plugin" minLength:"1" maxLength:"64"`
	Version      string          `json:"version,omitempty" maxLength:"64" doc:"Left out: the newest."`
	Capabilities json.RawMessage `json:"capabilities,omitempty" doc:"At most what the manifest asks for. Left out: all that it asks for."`
}
