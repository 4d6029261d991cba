// Package broker does for a guest what the guest was granted: it is the only way from the sandbox to the world.
//
// Everything is denied unless the grant of an administrator and the policy of the agent's owner both allow it.
// It needs no server, so that an author's tool can use it too.
package broker

import (
	"context"
	"encoding/json"
	"net"

	"octopus/agent/policy"
	"octopus/sdk/spec"
)

// Remote answers the operations that need state elsewhere: kv.* and cache.*.
type Remote interface {
	Call(ctx context.Context, op string, req json.RawMessage) (json.RawMessage, error)
}

// Config says for whom a broker works and what it may do.
type Config struct {
	// Plugin is named in refusals.
	Plugin string
	// Grant is manifest ∩ administrator's grant.
	Grant spec.Capabilities
	// Policy is the owner's last word. Defaults to no restriction.
	Policy *policy.Policy
	// Remote answers kv.* and cache.*. Defaults to none: they are "unavailable". NewMemory makes one for tools.
	Remote Remote
	// Broadcast reads an entry of the broadcast region. Defaults to none.
	Broadcast func(name string) (json.RawMessage, bool)
	// Resolver looks names up. Defaults to the system's.
	Resolver *net.Resolver
	// RootsFile holds further certificate roots for http.fetch and tcp.probe, PEM. Defaults to the system's roots.
	RootsFile string
	// DryRun records what would change something and answers as if it were done.
	DryRun bool
	// OnCall is told of each call after it ended; for tools. Defaults to none.
	OnCall func(Record)
}

// Record is one host call.
type Record struct {
	Op      string `json:"op"`
	Target  string `json:"target,omitempty"` // URL, address or key
	Millis  float64
	Error   string `json:"error,omitempty"` // code
	DryRun  bool   `json:"dry_run,omitempty"`
	Request json.RawMessage
}

// Broker implements wasmplugins.Broker for one execution.
type Broker struct{ config Config }

// New makes the broker of one execution.
func New(c Config) *Broker { return &Broker{config: c} }

// Call does one operation. A refusal is a reply, not an error.
func (b *Broker) Call(ctx context.Context, op string, req []byte) ([]byte, error) {
	panic("not built yet")
}

// Close gives back connections. The broker is not used after it.
func (b *Broker) Close() {}

// NewMemory makes a Remote that keeps kv and cache in memory, for tools that run without a server.
func NewMemory(plugin string) Remote { panic("not built yet") }

// Error is a refusal as the guest sees it.
type Error struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable,omitempty"`
}

// Error is the sentence.
func (e *Error) Error() string { return e.Message }

// ErrUnavailable says that the server cannot be asked now.
var ErrUnavailable = &Error{Code: "unavailable", Message: "The server cannot be reached now. Try again later.", Retryable: true}
