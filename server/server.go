// Package server is the Octopus server: it wires the store, dispatch, the hub, the REST API and the dashboard
// into one program, and owns everything that runs in it.
package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"octopus/internal/octopus"
	"octopus/internal/version"
	"octopus/server/api"
	"octopus/server/auth"
	"octopus/server/bus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/dispatch"
	"octopus/server/hub"
	"octopus/server/store"
	"octopus/server/web"
)

// stopGrace is how long requests may take to end after the server was asked to stop.
const stopGrace = 5 * time.Second

// Server is one Octopus server. Make it with [New], run it with [Server.Run].
type Server struct {
	cfg      Config
	id       string
	url      string // public
	started  time.Time
	listener net.Listener
	lock     *flock.Flock // of a SQLite file; nil on PostgreSQL

	bus      *bus.Local
	store    *store.Store
	cache    *cache.Cache
	auth     *auth.Auth
	catalog  *catalog.Catalog
	dispatch *dispatch.Dispatcher
	hub      *hub.Hub
	api      *api.API
	web      *web.Web
	dist     *dist
	demo     demo
}

// New opens the database and the listening socket and wires the server. Nothing is answered before [Server.Run];
// whoever does not call Run must call [Server.Close]. Errors are sentences for whoever started the program.
func New(ctx context.Context, cfg Config) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "%s", err)
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, octopus.Errorf(octopus.CodeDenied, "The data folder %s cannot be made: %v. Choose another with --data.", cfg.Data, errors.Unwrap(err))
	}
	ln, err := listen(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:      cfg,
		id:       octopus.NewID(octopus.PrefixServer, time.Now()),
		started:  time.Now(),
		listener: ln,
		bus:      bus.NewLocal(),
	}
	s.url = strings.TrimSuffix(cfg.PublicURL, "/")
	if s.url == "" {
		s.url = urlOf(ln, cfg.TLSCert != "")
	}
	if err := s.wire(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// wire makes the parts in the order in which they depend on each other.
func (s *Server) wire(ctx context.Context) (err error) {
	cfg := s.cfg
	database := cfg.Database
	if database == "" {
		database = filepath.Join(cfg.Data, "octopus.db")
	}
	if err := s.lockDatabase(database); err != nil {
		return err
	}
	if s.store, err = store.Open(ctx, store.Options{URL: database, Bus: s.bus, Log: cfg.Log}); err != nil {
		return err
	}
	s.cache = cache.New(s.bus, nil)
	s.auth, err = auth.New(auth.Config{
		Store: s.store, Cache: s.cache, Log: cfg.Log, PublicURL: s.url, Secure: strings.HasPrefix(s.url, "https:"),
	})
	if err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	s.catalog = catalog.New(catalog.Config{Store: s.store, Cache: s.cache, Log: cfg.Log})
	if err := s.catalog.SyncBuiltins(ctx, cfg.GrantBuiltins); err != nil {
		return fmt.Errorf("built-in plugins: %w", err)
	}
	s.dispatch = dispatch.New(dispatch.Config{
		Store: s.store, Bus: s.bus, Catalog: s.catalog, Log: cfg.Log, ServerID: s.id, Version: version.Version, LostAfter: cfg.LostAfter,
	})
	s.hub = hub.New(hub.Config{
		Store: s.store, Auth: s.auth, Dispatch: s.dispatch, Catalog: s.catalog, Log: cfg.Log, ServerID: s.id,
	})
	if s.dist, err = newDist(cfg.Dist); err != nil {
		return err
	}
	s.api = api.New(api.Config{
		Store: s.store, Dispatch: s.dispatch, Catalog: s.catalog, Auth: s.auth, Bus: s.bus, Cache: s.cache,
		Log: cfg.Log, PublicURL: s.url, Version: version.Version,
	})
	s.web = web.New(web.Config{
		Store: s.store, Dispatch: s.dispatch, Catalog: s.catalog, Auth: s.auth, Bus: s.bus, Cache: s.cache,
		Log: cfg.Log, PublicURL: s.url, Version: version.Version, OnFirstBrowser: s.firstBrowser,
		OpenAPI: func() ([]byte, error) { return api.OpenAPI(version.Version) },
	})
	return nil
}

// URL is how browsers and agents reach the server.
func (s *Server) URL() string { return s.url }

// Addr is the address that the server listens on.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run serves until ctx is done, then stops in order: no new requests, agents told to come back later, the
// database drained. It returns when everything that it started has ended. Call it once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.prepare(ctx); err != nil {
		return errors.Join(err, s.Close())
	}
	// What requests stand on outlives them: it gets a context of its own.
	inner, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		BaseContext:       func(net.Listener) context.Context { return inner },
	}
	g, running := errgroup.WithContext(inner)
	for _, run := range []func(context.Context) error{s.cache.Run, s.auth.Run, s.dispatch.Run, s.hub.Run, s.api.Run, s.web.Run, s.keepLease, s.upkeep} {
		g.Go(func() error { return ignoreCancel(run(running)) })
	}
	g.Go(func() error {
		if err := srv.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		select {
		case <-ctx.Done():
		case <-running.Done():
		}
		s.stopServing(srv)
		stop(nil)
		return nil
	})
	err := g.Wait()
	return errors.Join(err, s.Close())
}

// stopServing ends requests: streams first, because they would never end by themselves.
func (s *Server) stopServing(srv *http.Server) {
	grace, cancel := context.WithTimeout(context.Background(), stopGrace)
	defer cancel()
	s.web.Stop()
	s.api.Stop()
	s.hub.Drain(grace)
	if err := srv.Shutdown(grace); err != nil {
		srv.Close()
	}
}

// prepare puts the database in order before the first request.
func (s *Server) prepare(ctx context.Context) error {
	if !s.auth.SetupNeeded(ctx) {
		return nil
	}
	code, err := s.auth.SetupCode(ctx)
	if err != nil {
		return fmt.Errorf("setup code: %w", err)
	}
	s.cfg.Announce(code)
	return nil
}

// Close frees what [New] opened. It is idempotent; Run calls it.
func (s *Server) Close() error {
	var errs []error
	if err := s.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		errs = append(errs, err)
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	s.bus.Close()
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}

func ignoreCancel(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
