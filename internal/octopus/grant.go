package octopus

import (
	"encoding/json"
	"time"
)

// Grant is what an administrator allows a plugin digest to do.
type Grant struct {
	Digest       string
	Capabilities json.RawMessage // spec.Capabilities
	GrantedBy    string
	GrantedAt    time.Time
}

// GrantState is what a grant is good for now.
type GrantState string

// The states of a grant.
const (
	GrantInForce GrantState = "in_force" // runs that follow the plugin get its version, or none that is newer
	GrantOlder   GrantState = "older"    // they get a newer version, or its version is disabled or revoked
	GrantRevoked GrantState = "revoked"  // everything was taken back
)

// GrantStates are all of them.
var GrantStates = []GrantState{GrantInForce, GrantOlder, GrantRevoked}
