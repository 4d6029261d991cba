package views

import (
	"time"

	"octopus/internal/octopus"
)

// Plugins is the list of plugins.
type Plugins struct {
	Page
	Search string
	Here   string // the address, for what leads back
	Rows   []PluginRow
}

// PluginRow is a plugin in the list.
type PluginRow struct {
	Plugin  octopus.Plugin
	Version string
	Actions []string
	Grant   string // "granted", "partly", "missing" or "none" where nothing is asked

	Unsandboxed bool // it may run programs outside the sandbox
}

// Plugin is the page of one plugin.
type Plugin struct {
	Page
	Plugin   octopus.Plugin
	Version  octopus.PluginVersion // the one that is shown
	Actions  []PluginAction
	Asked    []Capability
	Grant    string
	Bindings []Binding // of the secrets that it asks for
	Lacks    []string  // secrets that nobody stored, a sentence each
	Homepage string
	Limits   []Pair
	Tasks    []octopus.Task

	Unsandboxed bool

	Rows      []VersionRow // newest first
	TrialSize int          // how many executions of each version are compared at least

	Config *PluginConfig // nil: the version takes none

	Agents     []octopus.VersionAgent // that use the version, the latest first
	MoreAgents bool                   // there are others

	Fetches map[string]octopus.Fetches // by digest
	History []octopus.PluginEvent      // the newest first
}

// newer is the newest published version where an older one is shown, else "".
func (m Plugin) newer() string {
	for _, v := range m.Plugin.Versions { // newest first
		if v.Version == m.Version.Version {
			return ""
		}
		if v.Status == octopus.VersionPublished {
			return v.Version
		}
	}
	return ""
}

// PluginAction is one thing that the plugin does.
type PluginAction struct {
	Name, Description string
	Idempotent        bool
	Params            []ParamDoc
	Examples          []string
}

// ParamDoc describes a parameter.
type ParamDoc struct {
	Name, Type, Help, Default string
	Required                  bool
}

// Capability is something that a plugin asks for, and whether it was granted.
type Capability struct {
	Icon, Title, Reason string
	Granted             bool
}

// Users is the list of users.
type Users struct {
	Page
	Rows    []octopus.User
	Form    UserForm
	Problem string
}

// UserForm makes or changes a user.
type UserForm struct {
	ID, Username, Email, Name string
	Role                      octopus.Role
	Active                    bool
	Errors                    map[string]string
	Problem                   string
}

// User is the page of one user, for administrators.
type User struct {
	Page
	User octopus.User
	Form UserForm
	Self bool
}

// Profile is one's own page.
type Profile struct {
	Page
	User     octopus.User
	Zones    []Option
	Sessions []octopus.Session
	Current  string // id of this browser's session
	Tokens   []octopus.Token
	NewToken string // shown once
	TokenFor string // its name
	Params   []CategoryRow
	Category string // of parameters that were not taken
	Typed    string // and their text
	Roles    []Option
	Errors   map[string]string
	Problem  string
}

// System is the page about the server itself.
type System struct {
	Page
	Server  []Pair
	Health  []Check
	Regions []CacheRegion
	Levels  []Level
	Tokens  []octopus.JoinToken
	Servers []ServerRow
	Folder  *PluginFolder // nil where there is none
	Now     time.Time
}

// PluginFolder is a folder of the server in which plugins are found.
type PluginFolder struct {
	Dir, Problem string
	Files        []FoundFile
	At           time.Time
}

// FoundFile is a file in a [PluginFolder].
type FoundFile struct {
	Name, Status, Problem string
	OK, Waits             bool // nothing is wrong with it; somebody has to review it
}

// Check is one line of health.
type Check struct {
	OK          bool
	Name, State string
}

// CacheRegion is one part of the cache.
type CacheRegion struct {
	Name, TTL       string
	Items           int
	Hits, Misses    int64
	Evictions       int64
	HitRate         string
	HitRateFraction float64
}

// Level is how many agents reached a level of the sandbox.
type Level struct {
	Name string
	N    int
}

// ServerRow is one server process.
type ServerRow struct {
	ID, URL, Version string
	Agents           int
	StartedAt        time.Time
	Alive            bool
}

// Hit is something that the search found.
type Hit struct{ Icon, Label, About, Href string }

func joinState(t octopus.JoinToken, now time.Time) string {
	switch {
	case !t.RevokedAt.IsZero():
		return "revoked"
	case !t.ExpiresAt.IsZero() && t.ExpiresAt.Before(now):
		return "expired"
	case t.MaxUses > 0 && t.Uses >= t.MaxUses:
		return "disabled"
	}
	return "ok"
}

func joinWord(state string) string {
	switch state {
	case "ok":
		return "usable"
	case "disabled":
		return "used up"
	}
	return state
}

// GrantPill is the class and the word of a grant's state.
func grantPill(g string) (class, icon, word string) {
	switch g {
	case "granted":
		return "ok", "shield-check", "granted"
	case "partly":
		return "warn", "shield-alert", "partly granted"
	case "missing":
		return "warn", "shield-alert", "not granted"
	}
	return "idle", "shield", "asks for nothing"
}

func digestShort(d string) string {
	if len(d) > 19 {
		return d[:19] + "…"
	}
	return d
}

// fetchWords says how often a module was downloaded.
func fetchWords(f octopus.Fetches) string {
	if f.Downloads == 0 {
		return "–"
	}
	if f.Agents == 0 {
		return Count(f.Downloads) + " ×" // by agents that were removed since
	}
	return Count(f.Downloads) + " × by " + Plural(int(f.Agents), "agent", "agents")
}

// versionStatusWords says what somebody did to a version by what it is since.
func versionStatusWords(status string) string {
	switch octopus.VersionStatus(status) {
	case octopus.VersionPublished:
		return "enabled again"
	case octopus.VersionDeprecated:
		return "marked as deprecated"
	case octopus.VersionRevoked:
		return "revoked for good"
	}
	return status
}

// historyWords says what happened, for people.
func historyWords(e octopus.PluginEvent) string {
	words := map[octopus.PluginEventKind]string{
		octopus.PluginSubmitted: "submitted", octopus.PluginChecksFailed: "submitted; its checks failed", octopus.PluginRejected: "rejected",
		octopus.PluginWithdrawn: "withdrawn", octopus.PluginPublished: "published", octopus.PluginStatusChanged: versionStatusWords(e.Message),
		octopus.PluginSwitched: "the whole plugin " + e.Message, octopus.PluginGranted: "granted", octopus.PluginConfigured: "configured, " + e.Message, octopus.PluginGrantRevoked: "grant taken back",
		octopus.PluginModuleRefused: "refused to load it: " + e.Message, octopus.PluginRingMoved: ringMoveWords(e.Message),
	}
	if e.Kind == octopus.PluginPublished && e.Message != "" {
		return "published into the ring " + e.Message
	}
	if w, ok := words[e.Kind]; ok {
		return w
	}
	return string(e.Kind)
}
