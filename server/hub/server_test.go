package hub_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/auth"
	"octopus/server/bus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/dispatch"
	"octopus/server/hub"
	"octopus/server/store"
	"octopus/wasmplugins"
)

// server is everything that agents talk to, for real: store, catalogue, dispatcher, hub, sockets.
type server struct {
	t        testing.TB
	id       string
	path     string
	store    *store.Store
	auth     *auth.Auth
	catalog  *catalog.Catalog
	dispatch *dispatch.Dispatcher
	hub      *hub.Hub
	http     *httptest.Server
	stop     func()
	bulk     []byte // hash of a join token for any number of machines
}

// settings are what a test turns.
type settings struct {
	sendBuffer int     // bytes that the kernel keeps for each connection; 0 is its own choice
	path       string  // of the database; "" is a fresh one
	first      bool    // the database at path is fresh
	bus        bus.Bus // that servers share, and the test closes; nil: one of its own
	dispatch   dispatch.Config
	hub        hub.Config
}

// smallBuffers has the kernel keep little of what its connections are sent: who does not read is noticed soon.
type smallBuffers struct {
	net.Listener
	bytes int
}

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		err = tcp.SetWriteBuffer(l.bytes)
	}
	return conn, err
}

// start runs a server until the test ends or stop is called. Its probe plugin is published before: nobody is told of it
// later.
func start(t testing.TB, o settings) *server {
	t.Helper()
	s := &server{t: t, path: o.path}
	if s.path == "" {
		s.path = filepath.Join(t.TempDir(), "octopus.db")
	}
	b := o.bus
	if b == nil {
		b = bus.NewLocal()
	}
	var err error
	if s.store, err = store.Open(context.Background(), store.Options{URL: s.path, Bus: b}); err != nil {
		t.Fatal(err)
	}
	c := cache.New(b, nil)
	s.id = octopus.NewID(octopus.PrefixServer, time.Now())
	s.http = httptest.NewUnstartedServer(nil)
	if s.auth, err = auth.New(auth.Config{Store: s.store, Cache: c}); err != nil {
		t.Fatal(err)
	}
	s.catalog = catalog.New(catalog.Config{Store: s.store, Cache: c})
	d := o.dispatch
	d.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	d.Store, d.Bus, d.Catalog, d.ServerID = s.store, b, s.catalog, s.id
	if d.Sweep == 0 {
		d.Sweep = 20 * time.Millisecond
	}
	if d.Heartbeat == 0 {
		d.Heartbeat = time.Minute // agents of tests say nothing when they have nothing to say
	}
	s.dispatch = dispatch.New(d)
	h := o.hub
	h.Store, h.Auth, h.Dispatch, h.Catalog, h.ServerID = s.store, s.auth, s.dispatch, s.catalog, s.id
	s.hub = hub.New(h)
	if err := s.store.RenewServer(context.Background(), store.Server{ID: s.id, StartedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	s.http.Config.Handler = s.hub.Routes()
	if o.sendBuffer > 0 {
		s.http.Listener = smallBuffers{s.http.Listener, o.sendBuffer}
	}
	s.http.Start()

	if o.path == "" || o.first {
		s.publish(manifest("probe"))
	}
	parts := []func(context.Context) error{c.Run, s.dispatch.Run, s.hub.Run}
	if o.path != "" {
		parts = append(parts, s.renew)
	}
	s.run(parts, func() {
		if o.bus == nil {
			b.Close()
		}
	})
	return s
}

// renew says every few seconds that this server lives, or one beside it takes it for dead.
func (s *server) renew(ctx context.Context) error {
	for tick := time.NewTicker(5 * time.Second); ; {
		select {
		case <-tick.C:
			_ = s.store.RenewServer(ctx, store.Server{ID: s.id, StartedAt: time.Now()}) // a test may have broken it
		case <-ctx.Done():
			return nil
		}
	}
}

// run starts the parts of the server and makes stop end them, then the rest.
func (s *server) run(parts []func(context.Context) error, rest func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, part := range parts {
		wg.Go(func() {
			if err := part(ctx); err != nil && ctx.Err() == nil {
				s.t.Errorf("run: %v", err)
			}
		})
	}
	s.stop = sync.OnceFunc(func() {
		cancel()
		wg.Wait()
		s.http.Close()
		if err := s.store.Close(); err != nil {
			s.t.Errorf("closing the store: %v", err)
		}
		rest()
	})
	s.t.Cleanup(s.stop)
}

// manifest is that of a plugin with one action that may be started twice and one that may not.
func manifest(name string) spec.Manifest {
	schema := json.RawMessage(`{"type":"object","properties":{"url":{"type":"string"}},"additionalProperties":false}`)
	return spec.Manifest{
		Schema: spec.ManifestSchema, ABI: spec.ABI, Name: name, Version: "1.0.0", Description: "A plugin for tests",
		Actions: []spec.Action{
			{Name: "once", Description: "Not to be repeated", Params: schema},
			{Name: "again", Description: "May be repeated", Params: schema, Idempotent: true},
		},
	}
}

// publish packs a manifest into the noop module, and publishes and grants it.
func (s *server) publish(m spec.Manifest) octopus.PluginVersion {
	s.t.Helper()
	module, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		s.t.Fatal(err)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		s.t.Fatal(err)
	}
	if module, err = wasmplugins.Pack(module, raw); err != nil {
		s.t.Fatal(err)
	}
	v, err := s.catalog.Upload(context.Background(), module, "tests")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.catalog.GrantAll(context.Background(), v.Digest, "tests"); err != nil {
		s.t.Fatal(err)
	}
	return v
}

// submit starts ad-hoc work on the probe plugin.
func (s *server) submit(change func(*dispatch.Submission)) octopus.Run {
	s.t.Helper()
	sub := dispatch.Submission{Work: octopus.Work{Plugin: "probe", Action: "once"}, By: "ada", Source: "api"}
	if change != nil {
		change(&sub)
	}
	run, _, err := s.dispatch.Submit(context.Background(), sub)
	if err != nil {
		s.t.Fatalf("submit: %v", err)
	}
	return run
}

// executions lists those of a run.
func (s *server) executions(run octopus.Run) []octopus.Execution {
	s.t.Helper()
	list, _, err := s.store.RunExecutions(context.Background(), run.ID, store.Page{Limit: 500})
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

// execution is the only one of a run.
func (s *server) execution(run octopus.Run) octopus.Execution {
	s.t.Helper()
	list := s.executions(run)
	if len(list) != 1 {
		s.t.Fatalf("the run has %d executions, not 1", len(list))
	}
	return list[0]
}

// patience is how long a test waits for what must happen, on a machine that has thirty other things to do.
const patience = 2 * time.Minute

// brisk is a heartbeat of tests that wait until an agent is missed: short, and yet the agent of a test says something
// within two and a half of them, however busy the machine is.
const brisk = 2 * time.Second

// ended waits for the end of the only execution of a run.
func (s *server) ended(run octopus.Run) octopus.Execution {
	s.t.Helper()
	if _, _, err := s.dispatch.WaitRun(context.Background(), run, patience); err != nil {
		s.t.Fatal(err)
	}
	x, err := s.store.Execution(context.Background(), s.execution(run).ID)
	if err != nil {
		s.t.Fatal(err)
	}
	if !x.Status.Terminal() {
		s.t.Fatalf("the execution is still %s: %+v", x.Status, x.Waiting)
	}
	return x
}

// eventually waits for what no message announces.
func (s *server) eventually(what string, ok func() bool) {
	s.t.Helper()
	deadline, look := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-deadline:
			s.t.Fatalf("never: %s", what)
		}
	}
}

// settled waits until the database has been left alone for a while: what a connection brings about is done.
func (s *server) settled() {
	s.t.Helper()
	before, quiet := s.store.Statements(), 0
	s.eventually("nothing asks the database any more", func() bool {
		now := s.store.Statements()
		if quiet++; now != before {
			before, quiet = now, 0
		}
		return quiet >= 10
	})
}
