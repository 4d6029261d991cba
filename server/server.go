// Package server is the Octopus server: it wires the store, dispatch, the hub, the REST API and the dashboard
// into one program, and owns everything that runs in it.
package server

import (
	"cmp"
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
	"octopus/server/backup"
	"octopus/server/bus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/dispatch"
	"octopus/server/folder"
	"octopus/server/hub"
	"octopus/server/signing"
	"octopus/server/store"
	"octopus/server/vault"
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
	shared   bus.Bus // what commits are published on: bus, in a test also other servers'
	store    *store.Store
	backups  *backup.Keeper
	vault    *vault.Vault
	cache    *cache.Cache
	auth     *auth.Auth
	catalog  *catalog.Catalog
	dispatch *dispatch.Dispatcher
	hub      *hub.Hub
	api      *api.API
	web      *web.Web
	dist     *dist
	folder   *folder.Folder // nil without plugins.dir
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
	database := cfg.database()
	if s.lock, err = lockDatabase(database); err != nil {
		return err
	}
	if err := backup.Interrupted(database); err != nil {
		return err
	}
	if s.shared, err = bus.Between(s.bus); err != nil {
		return err
	}
	if s.store, err = store.Open(ctx, store.Options{URL: database, Bus: s.shared, Log: cfg.Log}); err != nil {
		return err
	}
	s.backups = s.newKeeper()
	s.vault = vault.New(vault.Config{Store: s.store, KeyFile: cfg.secretsKeyFile(), Log: cfg.Log})
	s.cache = cache.New(s.bus, cfg.Cache.regions())
	s.auth, err = auth.New(auth.Config{
		Store: s.store, Cache: s.cache, Log: cfg.Log, PublicURL: s.url, Secure: strings.HasPrefix(s.url, "https:"),
	})
	if err != nil {
		return fmt.Errorf("auth: %w", err)
	}
	keys, err := signing.Open(ctx, signing.Config{File: cmp.Or(cfg.SigningKey, filepath.Join(cfg.Data, "signing.key")), Store: s.store, Log: cfg.Log})
	if err != nil {
		return err
	}
	s.catalog = catalog.New(catalog.Config{
		Signer: keys,
		Store:  s.store, Cache: s.cache, Log: cfg.Log, MaxModule: cfg.MaxModule,
		Sandbox: catalog.Sandbox{Dir: filepath.Join(cfg.Data, "sandbox")}, SelfReview: cfg.SelfReview, Ring: octopus.Ring(cfg.Ring),
	})
	if cfg.PluginsDir != "" {
		s.folder = folder.New(folder.Config{Dir: cfg.PluginsDir, Publish: cfg.PublishFound, Catalog: s.catalog, Log: cfg.Log})
	}
	if err := s.catalog.SyncBuiltins(ctx, cfg.GrantBuiltins); err != nil {
		return fmt.Errorf("built-in plugins: %w", err)
	}
	s.dispatch = dispatch.New(dispatch.Config{
		Store: s.store, Bus: s.bus, Catalog: s.catalog, Log: cfg.Log, ServerID: s.id, Version: version.Version,
		Heartbeat: cfg.Heartbeat, LostAfter: cfg.LostAfter, LostAfterRetry: cfg.LostAfterRetry, CancelGrace: cfg.CancelGrace,
		MaxTimeout: cfg.MaxTimeout, Timeout: cfg.Timeout, WaitAny: cfg.WaitAny, WaitAgent: cfg.WaitAgent, RetryBackoff: cfg.RetryBackoff,
		Restore: s.store.Restore(), Vault: s.vault,
	})
	s.hub = hub.New(hub.Config{
		Store: s.store, Auth: s.auth, Dispatch: s.dispatch, Catalog: s.catalog, Log: cfg.Log, ServerID: s.id,
		AdmitPerSecond: float64(cfg.ConnectsPerSecond),
	})
	if s.dist, err = newDist(cfg.Dist); err != nil {
		return err
	}
	s.api = api.New(api.Config{
		Store: s.store, Dispatch: s.dispatch, Catalog: s.catalog, Auth: s.auth, Bus: s.bus, Cache: s.cache,
		Backups: s.backups, Vault: s.vault, Folder: s.folder, Log: cfg.Log, PublicURL: s.url, Version: version.Version,
	})
	s.web = web.New(web.Config{
		Store: s.store, Dispatch: s.dispatch, Catalog: s.catalog, Auth: s.auth, Bus: s.bus, Cache: s.cache, Vault: s.vault,
		Log: cfg.Log, PublicURL: s.url, Version: version.Version, OnFirstBrowser: s.firstBrowser, Folder: s.folder,
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
	if err := ignoreCancel(s.prepare(ctx)); err != nil || ctx.Err() != nil { // stopped before it served anybody
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
	for _, run := range []func(context.Context) error{s.cache.Run, s.auth.Run, s.dispatch.Run, s.hub.Run, s.api.Run, s.web.Run, s.backups.Run, s.keepLease, s.upkeep, s.keepLean, s.watchDisk, s.watchSpace, s.relay, s.watchPlugins} {
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

// watchPlugins finds plugins in plugins.dir until ctx is done.
func (s *Server) watchPlugins(ctx context.Context) error {
	if s.folder == nil {
		return nil
	}
	return s.folder.Run(ctx)
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
	if err := s.dispatch.Settle(ctx, s.store); err != nil {
		return fmt.Errorf("restored database: %w", err)
	}
	if err := s.openVault(ctx); err != nil {
		return err
	}
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
	if s.shared != nil {
		s.shared.Close()
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
