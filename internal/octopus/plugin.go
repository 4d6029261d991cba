package octopus

import (
	"encoding/json"
	"time"
)

// VersionStatus is where a plugin version is in its life.
type VersionStatus string

// The states of a plugin version.
const (
	VersionPublished  VersionStatus = "published"
	VersionDisabled   VersionStatus = "disabled"
	VersionDeprecated VersionStatus = "deprecated"
	VersionRevoked    VersionStatus = "revoked"
)

// Sources of a plugin.
const (
	SourceBuiltin  = "builtin" // came with the program
	SourceUploaded = "uploaded"
)

// Plugin is a name with its versions.
type Plugin struct {
	ID          string
	Name        string
	Description string
	Source      string
	Enabled     bool
	CreatedAt   time.Time
	Versions    []PluginVersion // newest first; only the newest in lists

	Runs     int64     // computed on reads: how often it ran
	LastUsed time.Time // computed on reads
	Tasks    int       // computed on reads: tasks that use it
}

// PluginVersion is an immutable module.
type PluginVersion struct {
	Plugin    string // its name
	Version   string // semver
	Digest    string // "sha256:" + hex
	Size      int64
	Status    VersionStatus
	Author    string
	License   string
	Manifest  json.RawMessage // spec.Manifest
	CreatedAt time.Time
	CreatedBy string
	Grant     *Grant // nil: nothing was granted

	Ring       Ring      // which runs that follow the plugin get it; RingAll unless it was placed
	Held       bool      // stopped: no run that follows the plugin gets it
	RingNote   string    // why it is held
	RingAt     time.Time // when it was placed, moved, held or resumed last; zero: never
	RingBy     string
	WatchUntil time.Time // in RingAll: until when its failures are compared with those of the version before

	Signatures []Signature // when it is published; reads leave it out: see store.Signatures
}

// CacheEntry is one entry that plugins share through the server.
type CacheEntry struct {
	Region    string // "plugin data" or "broadcast"
	Key       string // plugin data: "plugin/<plugin>/<name>"
	Value     json.RawMessage
	ExpiresAt time.Time
	UpdatedAt time.Time
}

// Fetches is how often agents downloaded a module.
type Fetches struct{ Downloads, Agents int64 }

// VersionAgent is an agent that fetched a version of a plugin, or ran it lately.
type VersionAgent struct {
	AgentID   string
	AgentName string
	Fetches   int64     // how often it downloaded the module
	FetchedAt time.Time // the last time; zero: never
	Runs      int64     // how often it ran it, among the newest executions of the plugin
	RanAt     time.Time // the last time of those; zero: none
}

// UsedAt is when the agent had to do with the version for the last time.
func (a VersionAgent) UsedAt() time.Time {
	if a.RanAt.After(a.FetchedAt) {
		return a.RanAt
	}
	return a.FetchedAt
}
