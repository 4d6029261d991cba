package server

import (
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRealIP(t *testing.T) {
	t.Parallel()
	s := &Server{cfg: Config{TrustedProxies: append(loopback(), netip.MustParsePrefix("10.0.0.0/8"))}}
	for _, tc := range []struct{ name, peer, forwarded, want string }{
		{"no proxy", "203.0.113.7:1234", "", "203.0.113.7"},
		{"a stranger's word", "203.0.113.7:1234", "127.0.0.1", "203.0.113.7"},
		{"a proxy's word", "127.0.0.1:1234", "203.0.113.7", "203.0.113.7"},
		{"two proxies", "127.0.0.1:1234", "203.0.113.7, 10.1.2.3", "203.0.113.7"},
		{"what the client made up before the proxy", "127.0.0.1:1234", "127.0.0.1, 203.0.113.7", "203.0.113.7"},
		{"nonsense", "127.0.0.1:1234", "next door", "127.0.0.1"},
	} {
		var got string
		h := s.realIP(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = hostOf(r.RemoteAddr) }))
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = tc.peer
		if tc.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tc.forwarded)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestPanicBecomesASentence(t *testing.T) {
	t.Parallel()
	h := recoverer(slog.New(slog.DiscardHandler))(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("secret detail") }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if body := w.Body.String(); w.Code != http.StatusInternalServerError || strings.Contains(body, "secret") || strings.Contains(body, "goroutine") {
		t.Errorf("%d %q", w.Code, body)
	}
}

func TestCrossOriginFormsAreRefused(t *testing.T) {
	t.Parallel()
	s := running(t, quiet(t))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL()+"/login", strings.NewReader("username=a&password=b"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := newClient(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("a form of another site was answered %d", resp.StatusCode)
	}
}

func TestExecutablesForNewAgents(t *testing.T) {
	t.Parallel()
	cfg := quiet(t)
	cfg.Dist = t.TempDir()
	const content = "a cross-built executable"
	name := "octopus-windows-amd64.exe"
	if err := os.WriteFile(filepath.Join(cfg.Dist, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Dist, "notes.txt"), []byte("not to be served"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := running(t, cfg)
	client := newClient(t)
	if _, body := get(t, client, s.URL()+"/dist/"+name); body != content {
		t.Errorf("%s = %q", name, body)
	}
	digest := sha256.Sum256([]byte(content))
	line := hex.EncodeToString(digest[:]) + "  " + name
	_, sums := get(t, client, s.URL()+"/dist/SHA256SUMS")
	if !strings.Contains(sums, line) || !strings.Contains(sums, ownName()) {
		t.Errorf("SHA256SUMS =\n%s", sums)
	}
	for _, path := range []string{"octopus-plan9-386", "notes.txt", "..%2foctopus.db"} {
		if resp, body := get(t, client, s.URL()+"/dist/"+path); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s was answered %d: %.80s", path, resp.StatusCode, body)
		}
	}
	for _, script := range []string{"install.sh", "install.ps1"} {
		if _, body := get(t, client, s.URL()+"/"+script); !strings.Contains(body, s.URL()) {
			t.Errorf("%s does not name %s", script, s.URL())
		}
	}
}

func TestRequestIDsTellNothing(t *testing.T) {
	t.Parallel()
	s := running(t, quiet(t))
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for sent, want := range map[string]string{"": "req_", "from-the-proxy": "from-the-proxy"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/api/v1/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Request-Id", sent)
		resp, err := newClient(t).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if id := resp.Header.Get("X-Request-Id"); !strings.HasPrefix(id, want) || strings.HasPrefix(id, host) {
			t.Errorf("sent %q, got %q", sent, id)
		}
	}
}
