package dispatch

import (
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
