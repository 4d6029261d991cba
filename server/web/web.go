// Package web is the dashboard: pages, their forms, and the one event stream that keeps each page true.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"octopus/server/auth"
	"octopus/server/bus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/dispatch"
	"octopus/server/store"
)

// Config is what the dashboard stands on. Everything without a default must be set.
type Config struct {
	Store    *store.Store
	Dispatch *dispatch.Dispatcher
	Catalog  *catalog.Catalog
	Auth     *auth.Auth
	Bus      bus.Bus
	Cache    *cache.Cache
	// Log receives what went wrong behind a page. Defaults to discarding.
	Log *slog.Logger
	// Version is shown on the system page.
	Version string
	// PublicURL is how browsers and agents reach this server, without a trailing slash.
	PublicURL string
	// OnFirstBrowser is called once, with the user's name, when the first browser opens its event stream.
	// Defaults to nothing.
	OnFirstBrowser func(username string)
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Web serves the pages. Make it with [New], mount [Web.Routes], and run [Web.Run] beside the listener.
type Web struct {
	cfg Config // static
}

// New returns the dashboard. It starts nothing.
func New(cfg Config) *Web { return &Web{cfg: cfg} }

// Routes returns every page, fragment and file of the dashboard.
func (w *Web) Routes() http.Handler { panic("not built yet") }

// Run feeds the event streams until ctx ends.
func (w *Web) Run(context.Context) error { panic("not built yet") }

// Stop ends every event stream, so that the HTTP server can shut down. It is idempotent.
func (w *Web) Stop() { panic("not built yet") }
