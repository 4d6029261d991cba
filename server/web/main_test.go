package web

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
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

// site is a dashboard on a real store, without agents.
type site struct {
	t        *testing.T
	web      *Web
	store    *store.Store
	bus      *bus.Local
	dispatch *dispatch.Dispatcher
	catalog  *catalog.Catalog
	auth     *auth.Auth
	vault    *vault.Vault
	server   *httptest.Server
	first    chan string
}

// testManifest is a plugin with one of every kind of parameter.
const testManifest = `{"schema":"octopus.plugin/v1","abi":1,"name":"all-kinds","version":"1.0.0","description":"Takes anything",
"actions":[{"name":"do","description":"Do it","idempotent":true,"examples":["do all kinds"],"params":{"type":"object","required":["url"],
"additionalProperties":false,"properties":{
"url":{"type":"string","format":"uri","pattern":"^https?://","title":"URL","description":"Where to","x-octopus-default":"public_url"},
"method":{"type":"string","enum":["GET","HEAD"],"default":"GET"},
"count":{"type":"integer","minimum":1,"maximum":9,"examples":[3]},
"ratio":{"type":"number"},
"follow":{"type":"boolean","default":true},
"tags":{"type":"array","items":{"type":"string"}},
"headers":{"type":"object"},
"note":{"type":"string","x-octopus-multiline":true},
"secret":{"type":"string","format":"password"}}}}],
"capabilities":{"http":{"hosts":["*"],"reason":"It asks the URL"}}}`

// newSite starts a dashboard. Nobody can sign in yet.
func newSite(t *testing.T) *site {
	t.Helper()
	b := bus.NewLocal()
	st, err := store.Open(t.Context(), store.Options{URL: storetest.SQLite(t), Bus: b})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, store: st, bus: b, first: make(chan string, 1)}
	regions := cache.New(b, nil)
	if s.auth, err = auth.New(auth.Config{Store: st, Cache: regions}); err != nil {
		t.Fatal(err)
	}
	s.catalog = catalog.New(catalog.Config{
		Store: st, Cache: regions, Sandbox: catalog.Sandbox{Dir: t.TempDir(), Executable: []string{os.Args[0], "runner"}},
		Builtins: func() ([]builtin.Plugin, error) { return nil, nil },
	})
	s.vault = vault.New(vault.Config{Store: st, KeyFile: filepath.Join(t.TempDir(), "secrets.key")})
	s.dispatch = dispatch.New(dispatch.Config{Vault: s.vault, Store: st, Bus: b, Catalog: s.catalog, ServerID: "srv_test"})
	s.publish()
	s.web = New(Config{
		Store: st, Dispatch: s.dispatch, Catalog: s.catalog, Auth: s.auth, Bus: b, Cache: regions, Vault: s.vault, Version: "test",
		PublicURL: "http://octopus.test", OpenAPI: described, OnFirstBrowser: func(name string) { s.first <- name },
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.web.Run(ctx) }()
	s.server = httptest.NewServer(http.NewCrossOriginProtection().Handler(s.web.Routes()))
	t.Cleanup(func() {
		s.web.Stop()
		s.server.Close()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("web ended with %v", err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		b.Close()
	})
	return s
}

// publish puts the test's plugin into the catalogue, ungranted.
func (s *site) publish() {
	s.t.Helper()
	module, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		s.t.Fatal(err)
	}
	packed, err := wasmplugins.Pack(module, []byte(testManifest))
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.catalog.Upload(s.t.Context(), packed, "ada"); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) grant() {
	s.t.Helper()
	v, err := s.catalog.Resolve(s.t.Context(), "all-kinds", "")
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.catalog.GrantAll(s.t.Context(), v.Digest, "ada"); err != nil {
		s.t.Fatal(err)
	}
}

// browser is somebody's browser. Redirects are followed unless said otherwise.
type browser struct {
	t    *testing.T
	base string
	*http.Client
}

// page is an answer with its body.
type page struct {
	*http.Response
	body string
}

func (s *site) browser() *browser {
	jar, _ := cookiejar.New(nil) // it never fails without options
	return &browser{t: s.t, base: s.server.URL, Client: &http.Client{Jar: jar}}
}

// as returns a browser in which a new user of a role is signed in.
func (s *site) as(role octopus.Role) *browser {
	s.t.Helper()
	name := "the-" + string(role)
	_, err := s.auth.CreateUser(s.t.Context(), auth.Local("test"), auth.NewUser{Username: name, Password: "correct horse battery", Role: role})
	if err != nil {
		s.t.Fatal(err)
	}
	b := s.browser()
	if p := b.post("/login", "username", name, "password", "correct horse battery"); p.Request.URL.Path != "/" {
		s.t.Fatalf("signing in ended at %s: %s", p.Request.URL, p.body)
	}
	return b
}

func (b *browser) do(r *http.Request) page {
	b.t.Helper()
	res, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{res, string(body)}
}

func (b *browser) get(path string) page {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(r)
}

// post sends a form; fields are names and values in turn.
func (b *browser) post(path string, fields ...string) page {
	b.t.Helper()
	return b.do(b.form(path, fields...))
}

// form is the request that sends a form.
func (b *browser) form(path string, fields ...string) *http.Request {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1]) // the last one counts
	}
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// has fails the test unless the page has a status and every one of the texts.
func (p page) has(t *testing.T, status int, texts ...string) {
	t.Helper()
	if p.StatusCode != status {
		t.Fatalf("%s answered %d, want %d:\n%s", p.Request.URL, p.StatusCode, status, p.body)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Errorf("%s lacks %q:\n%s", p.Request.URL, text, p.body)
		}
	}
}

// deadline is how long something that comes by itself may take.
const deadline = 2 * time.Minute
