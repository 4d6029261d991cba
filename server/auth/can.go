package auth

import (
	"context"

	"octopus/internal/octopus"
)

// Kind says how a subject proved who it is.
type Kind string

// The kinds of proof.
const (
	KindSession Kind = "session" // a browser's cookie
	KindToken   Kind = "token"   // Authorization: Bearer oct_…
	KindLocal   Kind = "local"   // this process itself: octopus dev, the demo, the scheduler
)

// Subject is who is calling.
type Subject struct {
	UserID    string
	Username  string
	Role      octopus.Role // of the token where it is less than the user's
	TokenID   string       // KindToken
	SessionID string       // KindSession
	Kind      Kind
}

// Local is the subject for work that this process starts itself.
func Local(name string) Subject {
	return Subject{Username: name, Role: octopus.RoleAdmin, Kind: KindLocal}
}

// Action is something that a subject wants to do.
type Action string

// The actions. The comment names the least role; [Can] holds the table.
const (
	Read            Action = "read"             // viewer: everything but users, tokens of others and secrets
	TokenSelf       Action = "token.self"       // viewer: its own API tokens
	ProfileSelf     Action = "profile.self"     // viewer: its own name, zone, theme, password
	RunTask         Action = "run.task"         // user: run a saved task
	ExecutionCancel Action = "execution.cancel" // user for its own runs, else operator
	RunAdhoc        Action = "run.adhoc"        // operator
	TaskEdit        Action = "task.edit"        // operator
	AgentManage     Action = "agent.manage"     // operator: also join tokens
	PluginSubmit    Action = "plugin.submit"    // operator: ask for a review, follow one's own submissions
	PluginManage    Action = "plugin.manage"    // admin: also review
	GrantManage     Action = "grant.manage"     // admin
	UserManage      Action = "user.manage"      // admin
	SystemManage    Action = "system.manage"    // admin: cache, settings
	SecretManage    Action = "secret.manage"    // admin
)

// Object is what an action is done to. The zero value is "any of them".
type Object struct {
	Kind  string // "task", "run", "execution", "agent", "plugin", "user", "token", "cache"
	ID    string
	Owner string // user name of whoever made it: cancelling one's own run needs less than another's
}

type subjectKey struct{}

// WithSubject returns ctx with the caller in it.
func WithSubject(ctx context.Context, s Subject) context.Context {
	return context.WithValue(ctx, subjectKey{}, s)
}

// FromContext returns the caller that a middleware of this package found; false when nobody signed in.
func FromContext(ctx context.Context) (Subject, bool) {
	s, ok := ctx.Value(subjectKey{}).(Subject)
	return s, ok
}

// least is the least role for each action.
var least = map[Action]octopus.Role{
	Read:            octopus.RoleViewer,
	TokenSelf:       octopus.RoleViewer,
	ProfileSelf:     octopus.RoleViewer,
	RunTask:         octopus.RoleUser,
	ExecutionCancel: octopus.RoleOperator,
	RunAdhoc:        octopus.RoleOperator,
	TaskEdit:        octopus.RoleOperator,
	AgentManage:     octopus.RoleOperator,
	PluginSubmit:    octopus.RoleOperator,
	PluginManage:    octopus.RoleAdmin,
	GrantManage:     octopus.RoleAdmin,
	UserManage:      octopus.RoleAdmin,
	SystemManage:    octopus.RoleAdmin,
	SecretManage:    octopus.RoleAdmin,
}

// Can returns nil when s may do a to o, else a CodeDenied error whose sentence names the role that may (and a
// CodeUnauthenticated one when nobody is signed in). Every check of a role goes through here.
func Can(s Subject, a Action, o Object) error {
	if s.Username == "" {
		return octopus.Errorf(octopus.CodeUnauthenticated, "Sign in first, or send an API token as \"Authorization: Bearer oct_…\".")
	}
	need, known := least[a]
	if !known {
		return octopus.Errorf(octopus.CodeDenied, "Nobody may do %s.", a)
	}
	if a == ExecutionCancel && o.Owner != "" && o.Owner == s.Username {
		need = octopus.RoleUser
	}
	if s.Role.Includes(need) {
		return nil
	}
	return octopus.Errorf(octopus.CodeDenied, "This needs the role %s; %s has the role %s. Ask an administrator.", need, s.holder(), s.Role)
}

// holder names who lacks a role: a token may hold less than its user.
func (s Subject) holder() string {
	if s.Kind == KindToken {
		return "this API token of " + s.Username
	}
	return s.Username
}

// LeastRole is the least role that may do a, for documents. "" for an action that nobody may.
func LeastRole(a Action) octopus.Role { return least[a] }
