package views

import (
	"time"

	"octopus/internal/octopus"
)

// Plugins is the list of plugins.
type Plugins struct {
	Page
	Search string
	Rows   []PluginRow
}

// PluginRow is a plugin in the list.
type PluginRow struct {
	Plugin  octopus.Plugin
	Version string
	Actions []string
	Grant   string // "granted", "partly", "missing" or "none" where nothing is asked
}

// Plugin is the page of one plugin.
type Plugin struct {
	Page
	Plugin   octopus.Plugin
	Version  octopus.PluginVersion // the one that is shown
	Actions  []PluginAction
	Asked    []Capability
	Grant    string
	Homepage string
	Limits   []Pair
	Tasks    []octopus.Task
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
	Now     time.Time
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
