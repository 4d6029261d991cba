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

// Grant is what an administrator allows a plugin digest to do.
type Grant struct {
	Digest       string
	Capabilities json.RawMessage // spec.Capabilities
	GrantedBy    string
	GrantedAt    time.Time
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
