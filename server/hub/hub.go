// Package hub holds the agents' connections: WebSockets in, one session per agent, bounded queues. It owns
// everything below /api/v1/agent/ and knows nothing of what the messages mean.
package hub

import (
	"context"
	"log/slog"
	"net/http"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/dispatch"
	"octopus/server/store"
)

// Config says what a hub stands on.
type Config struct {
	Store    *store.Store
	Auth     *auth.Auth
	Dispatch *dispatch.Dispatcher
	Catalog  Catalog
	// Log receives what operators should know. Defaults to silence.
	Log *slog.Logger
	// ServerID is this process in the database.
	ServerID string
	// ServerKey signs plugins; agents pin it when they enrol. Defaults to none.
	ServerKey []byte
	// AdmitPerSecond bounds how many connections are let in a second, so that ten thousand agents that come back at
	// once do not drown the database. Defaults to 1000.
	AdmitPerSecond float64
}

// Catalog is where the hub finds modules.
type Catalog interface {
	// Module returns the bytes of a version by its digest.
	Module(ctx context.Context, digest string) ([]byte, error)
}

// Hub holds the connections. Make it with [New] and give it a goroutine with [Hub.Run].
type Hub struct{ cfg Config }

// New makes a hub.
func New(c Config) *Hub { return &Hub{cfg: c} }

// Routes answers everything below /api/v1/agent/. Paths are whole, as in wire.Path….
func (h *Hub) Routes() http.Handler { panic("not built yet") }

// Run decodes what agents send until ctx is done. It returns when every connection has ended.
func (h *Hub) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Drain tells every agent to come back later and refuses new ones. It returns when all have gone or ctx is done.
func (h *Hub) Drain(ctx context.Context) {}

var _ = octopus.CodeInternal
