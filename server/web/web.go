// Package web is the dashboard: pages, their forms, and the one event stream that keeps each page true.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"octopus/server/auth"
	"octopus/server/bus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/dispatch"
	"octopus/server/folder"
	"octopus/server/store"
	"octopus/server/vault"
	"octopus/static"
	"octopus/views"
)

// Config is what the dashboard stands on. Everything without a default must be set.
type Config struct {
	Store    *store.Store
	Dispatch *dispatch.Dispatcher
	Catalog  *catalog.Catalog
	Auth     *auth.Auth
	Bus      bus.Bus
	Cache    *cache.Cache
	Vault    *vault.Vault
	// Folder is where plugins are found on this machine. Defaults to none.
	Folder *folder.Folder
	// Log receives what went wrong behind a page. Defaults to discarding.
	Log *slog.Logger
	// Version is shown on the system page.
	Version string
	// PublicURL is how browsers and agents reach this server, without a trailing slash.
	PublicURL string
	// OpenAPI returns the description of the REST API, which the page /api renders; it is called at most once.
	// Without it that page says that there is none.
	OpenAPI func() ([]byte, error)
	// OnFirstBrowser is called once, with the user's name, when the first browser opens its event stream.
	// Defaults to nothing.
	OnFirstBrowser func(username string)
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Web serves the pages. Make it with [New], mount [Web.Routes], and run [Web.Run] beside the listener.
type Web struct {
	cfg     Config // static
	log     *slog.Logger
	now     func() time.Time
	started time.Time
	live    *live
	// described is the page of the API, made when it is first asked for.
	described func() (views.APIReference, error)
	first     sync.Once      // guards OnFirstBrowser
	calls     sync.WaitGroup // OnFirstBrowser, while it runs, and streams on connections of their own
}

// New returns the dashboard. It starts nothing.
func New(cfg Config) *Web {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	s := &Web{cfg: cfg, log: cfg.Log, now: cfg.Now, started: cfg.Now()}
	s.live = newLive(s)
	s.described = sync.OnceValues(s.readReference)
	return s
}

// Run feeds the event streams until ctx ends or the bus closes.
func (s *Web) Run(ctx context.Context) error {
	defer s.calls.Wait()
	return s.live.run(ctx)
}

// Stop ends every event stream, so that the HTTP server can shut down. It is idempotent.
func (s *Web) Stop() { s.live.stop() }

// Routes returns every page, fragment and file of the dashboard.
func (s *Web) Routes() http.Handler {
	r := chi.NewRouter()
	r.Handle(static.Prefix+"*", static.Handler())
	r.Get("/favicon.ico", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, static.URL("favicon.svg"), http.StatusFound)
	})
	r.Group(func(r chi.Router) {
		r.Use(s.cfg.Auth.Sessions)
		s.doorRoutes(r)
		r.NotFound(s.page(s.notFound))
		r.MethodNotAllowed(s.page(s.notFound))
		r.Group(func(r chi.Router) {
			r.Use(s.signedIn)
			r.Get("/", s.page(s.home))
			r.Get("/events", s.events)
			r.Get("/search", s.page(s.search))
			s.runRoutes(r)
			s.executionRoutes(r)
			s.taskRoutes(r)
			s.agentRoutes(r)
			s.pluginRoutes(r)
			s.uploadRoutes(r)
			s.scriptRoutes(r)
			s.submissionRoutes(r)
			s.userRoutes(r)
			s.secretRoutes(r)
			s.profileRoutes(r)
			s.systemRoutes(r)
			s.referenceRoutes(r)
		})
	})
	return r
}
