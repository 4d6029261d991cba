package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk"
	"octopus/server/api"
	"octopus/server/auth"
	"octopus/server/bus"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/dispatch"
	"octopus/server/store"
	"octopus/server/store/storetest"
	"octopus/server/vault"
	"octopus/wasmplugins"
	"octopus/wasmplugins/builtin"
)

// TestMain lets the test binary be the runner that tries submissions.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(wasmplugins.RunnerMain(nil))
	}
	storetest.Main(m)
}

// world is a whole server but for the hub, on a real store: agents are attached to dispatch directly.
type world struct {
	t        testing.TB
	url      string
	store    *store.Store
	auth     *auth.Auth
	catalog  *catalog.Catalog
	dispatch *dispatch.Dispatcher
	config   api.Config // of api
	api      *api.API
	log      *logBuffer
	admin    auth.Subject
	client   *sdk.Client // of the administrator
	token    string      // of the administrator
}

// logBuffer is a log that tests read.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// manifest is the plugin of these tests. Its agent plays it: see testAgent.
const manifest = `{"schema":"octopus.plugin/v1","abi":1,"name":"hello","version":"1.0.0","description":"Greets.",
	"actions":[{"name":"greet","idempotent":true,"params":{"type":"object","required":["url"],"additionalProperties":false,"properties":{
	"url":{"type":"string","format":"uri"},"n":{"type":"integer","minimum":0},"hold":{"type":"boolean"},"fail":{"type":"boolean"},"junk":{"type":"string"},
	"password":{"type":"string","format":"password"},"lines":{"type":"integer"}}}},{"name":"once"}]}`

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldOn(t, storetest.SQLite(t))
}

func newWorldOn(t testing.TB, database string) *world {
	t.Helper()
	w := serve(t, database)
	w.prepare()
	return w
}

// serve starts a server on a database as it is. Who wants a client brings a token.
func serve(t testing.TB, database string) *world {
	t.Helper()
	w := &world{t: t, log: new(logBuffer)}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	b := bus.NewLocal()
	var err error
	if w.store, err = store.Open(t.Context(), store.Options{URL: database, Bus: b, Log: log}); err != nil {
		t.Fatal(err)
	}
	c := cache.New(b, nil)
	if w.auth, err = auth.New(auth.Config{Store: w.store, Cache: c, Log: log, PublicURL: "http://octopus.test"}); err != nil {
		t.Fatal(err)
	}
	w.catalog = catalog.New(catalog.Config{Store: w.store, Cache: c, Log: log,
		Sandbox: catalog.Sandbox{Dir: t.TempDir(), Executable: []string{os.Args[0], "runner"}}, Builtins: func() ([]builtin.Plugin, error) { return nil, nil }})
	keys := vault.New(vault.Config{Store: w.store, KeyFile: filepath.Join(t.TempDir(), "secrets.key"), Log: log})
	w.dispatch = dispatch.New(dispatch.Config{Vault: keys, Store: w.store, Bus: b, Catalog: w.catalog, Log: log, ServerID: "srv_test", RetryBackoff: time.Millisecond})
	w.config = api.Config{
		Store: w.store, Dispatch: w.dispatch, Catalog: w.catalog, Auth: w.auth, Bus: b, Cache: c, Vault: keys, Log: log, Version: "1", PublicURL: "http://octopus.test",
	}
	w.api = api.New(w.config)
	router := chi.NewRouter()
	w.api.Mount(router)
	server := httptest.NewServer(router)
	w.url = server.URL
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{c.Run, w.dispatch.Run, w.api.Run} {
		wg.Go(func() { _ = run(ctx) })
	}
	t.Cleanup(func() {
		w.api.Stop()
		server.Close()
		stop()
		wg.Wait()
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
		b.Close()
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server's log:\n%s", w.log)
		}
	})
	return w
}

func (w *world) prepare() {
	w.t.Helper()
	user, _, err := w.auth.Bootstrap(w.t.Context(), "ada")
	if err != nil {
		w.t.Fatal(err)
	}
	w.admin = auth.Subject{UserID: user.ID, Username: user.Username, Role: user.Role, Kind: auth.KindLocal}
	w.token = w.tokenOf(w.admin)
	w.client = w.as(w.token)
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		w.t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, []byte(manifest))
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.client.UploadPlugin(w.t.Context(), module); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tokenOf(s auth.Subject) string {
	w.t.Helper()
	_, secret, err := w.auth.CreateToken(w.t.Context(), s, "test", s.Role, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return secret
}

// as returns a client with a token, closed with the test.
func (w *world) as(token string) *sdk.Client {
	c := sdk.New(w.url, token, sdk.WithRetries(0))
	w.t.Cleanup(c.Close)
	return c
}

// user makes a user with a role and returns a client of it.
func (w *world) user(name string, role octopus.Role) *sdk.Client {
	w.t.Helper()
	u, err := w.auth.CreateUser(w.t.Context(), w.admin, auth.NewUser{Username: name, Password: "correct horse", Role: role})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.as(w.tokenOf(auth.Subject{UserID: u.ID, Username: u.Username, Role: role, Kind: auth.KindLocal}))
}

func greet(params map[string]any) sdk.StartRun {
	if params["url"] == nil {
		params["url"] = "https://example.com"
	}
	return sdk.StartRun{Work: sdk.Work{Plugin: "hello", Action: "greet", Params: sdk.JSON(params)}}
}

// answer is a raw answer, for what the client hides.
type answer struct {
	*http.Response
	body    string
	problem sdk.Problem
}

// raw makes a request as it is. headers are name, value, name, value …
func (w *world) raw(method, path, body string, headers ...string) answer {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{Response: res, body: string(data)}
	if res.Header.Get("Content-Type") == "application/problem+json" {
		if err := json.Unmarshal(data, &a.problem); err != nil {
			w.t.Fatalf("problem: %v: %s", err, data)
		}
	}
	return a
}

// testAgent plays an agent: it accepts every offer, writes log lines and answers at once, or after release.
type testAgent struct {
	w       *world
	id      string
	session *dispatch.Session
	inbox   chan wire.Message
	gone    chan struct{} // closed at the end of the test
	done    chan struct{}
	hold    chan struct{} // closed by release
	welcome chan struct{} // closed when the hello was answered: work may come

	once   sync.Once
	offers map[string]*wire.Offer // owned by run
}

// agent enrols and attaches an agent.
func (w *world) agent(name string, slots int) *testAgent {
	w.t.Helper()
	_, secret, err := w.auth.CreateJoinToken(w.t.Context(), w.admin, "", map[string]string{"env": "test"}, 1, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	facts := octopus.Facts{Hostname: name, OS: "linux", Arch: "amd64", Slots: slots, AgentVersion: "1", Policy: "allow: all"}
	enrolled, err := w.store.Enrol(w.t.Context(), auth.HashSecret(secret), octopus.Agent{
		ID: octopus.NewID(octopus.PrefixAgent, time.Now()), Name: name, PublicKey: bytes.Repeat([]byte{byte(len(name))}, 32), Slots: slots, Facts: facts, Enabled: true,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	a := &testAgent{w: w, id: enrolled.ID, inbox: make(chan wire.Message, 256), gone: make(chan struct{}), done: make(chan struct{}), hold: make(chan struct{}), welcome: make(chan struct{}), offers: map[string]*wire.Offer{}}
	epoch, err := w.store.OpenSession(w.t.Context(), octopus.AgentSession{AgentID: a.id, ServerID: "srv_test", Incarnation: "i", RemoteAddr: "192.0.2.1", ConnectedAt: time.Now()}, facts)
	if err != nil {
		w.t.Fatal(err)
	}
	ready := make(chan struct{})
	go a.run(ready)
	a.session, err = w.dispatch.Attach(w.t.Context(), dispatch.AttachRequest{Agent: enrolled, Epoch: epoch, RemoteAddr: "192.0.2.1", Link: a,
		Hello: wire.Hello{Agent: a.id, Incarnation: "i", JournalID: "j", Version: wire.Version, Facts: facts, Free: slots, End: true}})
	if err != nil {
		w.t.Fatal(err)
	}
	close(ready)
	<-a.welcome
	w.t.Cleanup(func() {
		a.release()
		a.session.Detach("test ended")
		close(a.gone)
		<-a.done
	})
	return a
}

func (a *testAgent) Send(m wire.Message) bool {
	select {
	case a.inbox <- m:
		return true
	case <-a.gone:
		return false
	}
}

func (a *testAgent) Close(int, string, time.Duration, time.Duration) {}

func (a *testAgent) release() { a.once.Do(func() { close(a.hold) }) }

func (a *testAgent) run(ready chan struct{}) {
	defer close(a.done)
	<-ready
	for {
		var m wire.Message
		select {
		case m = <-a.inbox:
		case <-a.gone:
			return
		}
		switch m := m.(type) {
		case *wire.HelloAnswer:
			if m.End {
				close(a.welcome)
			}
		case *wire.Offer:
			a.offers[m.Execution] = m
			a.say(&wire.Accept{Execution: m.Execution, Fence: m.Fence})
		case *wire.Go:
			a.play(a.offers[m.Execution], m)
		case *wire.Cancel:
			a.say(&wire.CancelAck{Execution: m.Execution, Fence: m.Fence})
			a.say(&wire.Result{Execution: m.Execution, Attempt: 1, Fence: m.Fence, Outcome: octopus.Cancelled, Reason: "cancelled", Free: 4})
		}
	}
}

func (a *testAgent) say(m wire.Message) { _ = a.session.Handle(context.Background(), m) }

// play is what the plugin does.
func (a *testAgent) play(o *wire.Offer, g *wire.Go) {
	var p struct {
		URL        string
		Hold, Fail bool
		Junk       string // printed in place of a response
		Lines      int
	}
	_ = json.Unmarshal(o.Params, &p)
	a.say(&wire.Prepared{Execution: o.Execution, Fence: g.Fence, Started: true})
	for i := range p.Lines {
		a.say(&wire.Log{Execution: o.Execution, Attempt: g.Attempt, Fence: g.Fence, Seq: int64(i + 1), Stream: "stderr",
			Lines: []wire.LogLine{{Text: fmt.Sprintf("line %d", i+1)}, {Text: "and \x1b[31mred"}}})
	}
	finish := func() {
		outcome, response := octopus.Succeeded, `{"status_code":200,"message":"Hello.","result":[{"name":"a","size":1},{"name":"=b","size":-2}],"data":[{"type":"db","name":"rows","value":{"k":"v"}}]}`
		if p.Fail {
			outcome, response = octopus.Failed, `{"status_code":500,"message":"No.","error":{"code":"exception"}}`
		}
		if p.Junk != "" {
			outcome, response = octopus.Failed, `{"status_code":502,"message":"No.","error":{"code":"invalid_response"}}`
		}
		a.say(&wire.Result{Execution: o.Execution, Attempt: g.Attempt, Fence: g.Fence, Outcome: outcome, Invalid: []byte(p.Junk), Response: json.RawMessage(response),
			LastLogSeq: int64(p.Lines), ElapsedMS: 1, Free: 4, LastOffer: o.OfferSeq})
	}
	if !p.Hold {
		finish()
		return
	}
	go func() { <-a.hold; finish() }()
}
