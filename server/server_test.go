package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
)

// quiet is a server configuration for tests: a free port, a folder of its own, no log.
func quiet(t *testing.T) Config {
	return Config{Listen: "127.0.0.1:0", Data: filepath.Join(t.TempDir(), "data"), Log: slog.New(slog.DiscardHandler)}
}

// running starts a server that is stopped at the end of the test.
func running(t *testing.T, cfg Config) *Server {
	t.Helper()
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return s
}

func get(t *testing.T, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// newClient is an HTTP client whose connections end with the test.
func newClient(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Jar: jar}
}

func TestDevelopmentServer(t *testing.T) {
	t.Parallel()
	cfg := quiet(t)
	cfg.GrantBuiltins = true
	s := running(t, cfg)
	access, err := s.PrepareDev(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	client := newClient(t)
	api := sdk.New(access.URL, access.APIToken, sdk.WithHTTPClient(client))
	me, err := api.Me(t.Context())
	if err != nil || me.Username != DevUser || me.Role != string(octopus.RoleAdmin) {
		t.Errorf("me = %+v, %v", me, err)
	}

	// Looking at the link, as a preview would, does not spend it; the button does, once.
	for range 2 {
		if resp, body := get(t, client, access.LoginURL); resp.StatusCode != http.StatusOK || !strings.Contains(body, "login-link") {
			t.Fatalf("the link answered %d", resp.StatusCode)
		}
	}
	press := func() *http.Response {
		resp, err := client.PostForm(access.LoginURL, url.Values{})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	if resp := press(); resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/" {
		t.Errorf("the button led to %s with %d", resp.Request.URL.Path, resp.StatusCode)
	}
	if resp := press(); resp.Request.URL.Path == "/" {
		t.Error("a spent link signed in again")
	}

	again, err := s.PrepareDev(t.Context())
	if err != nil || again.APIToken == access.APIToken {
		t.Errorf("second start: %v", err)
	}
	if _, err := api.Me(t.Context()); err == nil {
		t.Error("the token of an earlier start still works")
	}
	tokens, err := s.store.JoinTokens(t.Context())
	if err != nil || len(tokens) != 1 || !bytes.Equal(tokens[0].Hash, auth.HashSecret(again.JoinToken)) {
		t.Errorf("join tokens after the second start: %v %+v", err, tokens)
	}
}

func TestSetupIsAnnounced(t *testing.T) {
	t.Parallel()
	cfg := quiet(t)
	announced := make(chan string, 1)
	cfg.Announce = func(code string) { announced <- code }
	s := running(t, cfg)
	if code := <-announced; len(code) < 8 {
		t.Errorf("setup code %q", code)
	}
	if resp, _ := get(t, newClient(t), s.URL()+"/"); resp.Request.URL.Path != "/setup" {
		t.Errorf("a new server leads to %s", resp.Request.URL.Path)
	}
}

func TestBootstrapOnce(t *testing.T) {
	t.Parallel()
	cfg := quiet(t)
	b, err := Bootstrap(t.Context(), cfg, "ada")
	if err != nil || b.Username != "ada" || b.Password == "" || b.APIToken == "" || b.JoinToken == "" {
		t.Fatalf("bootstrap = %+v, %v", b, err)
	}
	if _, err := Bootstrap(t.Context(), cfg, "eve"); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Errorf("a second bootstrap: %v", err)
	}
}

func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"port in use", func(c *Config) { c.Listen = ln.Addr().String() }, "is in use by another program"},
		{"bad address", func(c *Config) { c.Listen = "nowhere:port" }, "--listen"},
		{"certificate without key", func(c *Config) { c.TLSCert = "cert.pem" }, "--tls-key"},
		{"certificate that is none", func(c *Config) { c.TLSCert, c.TLSKey = "server_test.go", "server_test.go" }, "--tls-cert"},
		{"public URL without a scheme", func(c *Config) { c.PublicURL = "octopus.example.com" }, "https://octopus.example.com"},
		{"https is required", func(c *Config) { c.RequireHTTPS = true }, "server.require_https"},
		{"http is public", func(c *Config) { c.RequireHTTPS, c.PublicURL = true, "http://octopus.example.com" }, "server.require_https"},
		{"nonsense", func(c *Config) { c.Retention = -1 }, "tasks.retention"},
		{"public URL with a path", func(c *Config) { c.PublicURL = "https://example.com/octopus" }, "root of its host"},
	} {
		cfg := quiet(t)
		tc.change(&cfg)
		s, err := New(t.Context(), cfg)
		if err == nil {
			s.Close()
			t.Errorf("%s: it started", tc.name)
		} else if !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %q does not say %q", tc.name, err, tc.want)
		}
	}
}

func TestOneServerPerFile(t *testing.T) {
	t.Parallel()
	cfg := quiet(t)
	running(t, cfg)
	second, err := New(t.Context(), cfg)
	if err == nil {
		second.Close()
	}
	if octopus.CodeOf(err) != octopus.CodeConflict || !strings.Contains(err.Error(), "octopus.db") {
		t.Errorf("a second server on one file: %v", err)
	}
}
