package dispatch

import (
	"context"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Link is a connection to an agent, as the hub holds it.
type Link interface {
	// Send queues a message. It never blocks; false means that the queue is full or the connection gone, and the
	// hub has closed it or is about to.
	Send(wire.Message) bool
	// Close ends the connection after what is queued, telling the agent when to come back (zero: as usual).
	Close(code int, reason string, retryMin, retryMax time.Duration)
}

// AttachRequest is a verified agent that said hello.
type AttachRequest struct {
	Agent      octopus.Agent
	Hello      wire.Hello // its first page
	Epoch      int64      // from store.OpenSession
	RemoteAddr string
	Link       Link
}

// Presence is what the server knows of a connected agent. It is memory only.
type Presence struct {
	Connected     bool
	Since         time.Time
	LastHeartbeat time.Time
	Free          int // credits: how many executions it can take now
	Slots         int
	Load          float64  // one-minute load average
	Running       []string // ids of the executions that it holds
	RemoteAddr    string
	Epoch         int64
	Drained       bool
	Incarnation   string
}

// Attach registers an agent's session, superseding an older one of the same agent, welcomes the agent and starts
// to reconcile. The hub calls it once per connection, from the goroutine that decodes its frames.
func (d *Dispatcher) Attach(ctx context.Context, r AttachRequest) (*Session, error) {
	panic("not built yet")
}

// Handle takes one message of the agent. The hub calls it in the order of arrival. An error means that the peer
// breaks the protocol: the hub closes the connection with its sentence.
func (s *Session) Handle(ctx context.Context, m wire.Message) error { panic("not built yet") }

// Detach ends the session. It may be called more than once; only the first cause counts.
func (s *Session) Detach(cause string) { panic("not built yet") }

// Presence reports a connected agent; false: it is not connected to this server.
func (d *Dispatcher) Presence(agentID string) (Presence, bool) { panic("not built yet") }

// Online is how many agents are connected to this server.
func (d *Dispatcher) Online() int { panic("not built yet") }
