package store

import (
	"encoding/json"
	"time"

	"octopus/internal/octopus"
)

// Idempotency makes a create or trigger safe to repeat: the same scope, key and body return what was made first.
type Idempotency struct {
	Scope    string // user and route
	Key      string
	BodyHash []byte // SHA-256 of the request's body
}

// NewRun is a run with its executions, ready to be stored.
type NewRun struct {
	Run        octopus.Run
	Executions []octopus.Execution
	Key        *Idempotency // nil: not idempotent
}

// Change is what one step does to an execution.
type Change struct {
	Next      octopus.Execution     // nil Params and Response leave the stored ones
	Events    []octopus.Event       // ExecutionID and a zero At are filled in
	Attempt   *octopus.Attempt      // inserted or updated by number
	Results   []octopus.NamedResult // replace those of the same name
	Artifacts []octopus.Artifact    // replace those of the same name and attempt; without data they are empty files
	Cache     []octopus.CacheEntry  // put into the shared cache rows
	Evidence  json.RawMessage       // a late result, kept beside the execution
	Refused   *octopus.PluginEvent  // for the plugin's history: its agent would not load the module
}

// ClaimQuery asks for queued executions that some agents may run.
type ClaimQuery struct {
	Agents []ClaimAgent
	Limit  int // of executions in one claim; 0 is 200
}

// ClaimAgent is an agent that can take work.
type ClaimAgent struct {
	ID      string
	Name    string
	Credits int      // how many executions it can take now
	Pools   []string // canonical selectors that it matches
	Sandbox octopus.SandboxLevel
}

// ExecutionFilter narrows a list of executions. Zero fields do not.
type ExecutionFilter struct {
	Statuses      []octopus.Status
	TaskID        string
	RunID         string
	AgentID       string
	Plugin        string
	CreatedSince  time.Time
	CreatedUntil  time.Time
	FinishedSince time.Time
	Text          string // part of the task's, agent's or plugin's name or of the message
}

// RunFilter narrows a list of runs. Zero fields do not.
type RunFilter struct {
	Statuses     []octopus.RunStatus
	TaskID       string
	Plugin       string
	CreatedBy    string
	CreatedSince time.Time
	CreatedUntil time.Time
	Text         string // part of the task's or plugin's name
}

// TaskFilter narrows a list of tasks. Zero fields do not.
type TaskFilter struct {
	Text     string // part of name, description, folder or plugin
	Folder   string
	Plugin   string
	Enabled  *bool
	Selector string // over the task's labels
	Deleted  bool   // those that were deleted instead, in the order of their creation
}

// AgentFilter narrows a list of agents. Zero fields do not.
type AgentFilter struct {
	Text     string // part of name, host name, platform or address
	Status   octopus.AgentStatus
	Selector string // over the agent's labels and facts
}

// Evidence is a result that came after its execution had ended. It flipped nothing.
type Evidence struct {
	ExecutionID string
	At          time.Time
	Body        json.RawMessage
}

// Overview is the home page's numbers, from roll-ups.
type Overview struct {
	ByStatus24h octopus.Counts // ended in the last 24 hours, by state
	Queued      int            // queued or offered now
	Running     int            // running now
	PerHour     []HourCount    // the last 24 hours, oldest first
	Plugins     []PluginCount  // the last 24 hours, most used first
}

// HourCount is how many executions ended in one hour, by state.
type HourCount struct {
	Hour   time.Time
	Counts octopus.Counts
}

// PluginCount is how many executions of one plugin ended, by state.
type PluginCount struct {
	Plugin string
	Counts octopus.Counts
}

// Expired is what PurgeExpired removed.
type Expired struct {
	Sessions, CacheEntries, Values, Keys, Blobs, JoinTokens, Servers int
}
