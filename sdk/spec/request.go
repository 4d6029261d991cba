package spec

import (
	"encoding/json"
	"time"
)

// MaxRequest is the size in bytes that a request may have on a plugin's
// standard input.
const MaxRequest = 8 << 20

// Request is what a plugin reads from standard input.
type Request struct {
	ABI       int              `json:"abi"`
	Action    string           `json:"action"`
	Params    json.RawMessage  `json:"params"`
	Config    json.RawMessage  `json:"config,omitempty"`
	Execution RequestExecution `json:"execution"`
	User      *RequestUser     `json:"user,omitempty"`
}

// RequestExecution says which execution the plugin is running for.
type RequestExecution struct {
	ID      string `json:"id"`
	Run     string `json:"run"`
	Task    string `json:"task,omitempty"`
	Attempt int    `json:"attempt"`
	// Deadline is when the guest is killed. It is an estimate from the
	// agent's clock: the timeout starts when the guest starts.
	Deadline time.Time `json:"deadline,omitzero"`
	DryRun   bool      `json:"dry_run"`
}

// RequestUser is who started the run, with the parameter categories that the
// plugin was granted.
type RequestUser struct {
	Name   string          `json:"name"`
	Params json.RawMessage `json:"params,omitempty"`
}
