package link

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestServerAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		server   string
		insecure bool
		want     string // part of the error, "" for none
	}{
		{"https://octopus.example.com", false, ""},
		{"https://octopus.example.com/", false, ""},
		{"https://octopus.example.com:8443/sub", false, ""},
		{"http://localhost:8080", false, ""},
		{"http://127.0.0.1:8080", false, ""},
		{"http://[::1]:8080", false, ""},
		{"http://10.0.0.1:8080", false, "--insecure"},
		{"http://localhost.example.com", false, "--insecure"},
		{"http://10.0.0.1:8080", true, ""},
		{"", false, "--server"},
		{"octopus.example.com", false, "looks like"},
		{"ftp://x", false, "looks like"},
		{"https://u:p@x", false, "no user"},
		{"https://x?y=1", false, "no user"},
	} {
		client, err := New(Config{Server: c.server, Insecure: c.insecure})
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: %v, want %q", c.server, err, c.want)
		case err == nil && strings.HasSuffix(client.Server(), "/"):
			t.Errorf("%q became %q", c.server, client.Server())
		}
	}
}

func TestCAFile(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Server: "https://x", CAFile: "link_test.go"}); err == nil || !strings.Contains(err.Error(), "PEM") {
		t.Error(err)
	}
	if _, err := New(Config{Server: "https://x", CAFile: "none"}); octopus.CodeOf(err) != octopus.CodeInvalid {
		t.Error(err)
	}
}

// steady takes the place of chance: always the largest number.
func steady(n int64) int64 { return n - 1 }

func TestBackoff(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	b := &Backoff{Rand: steady}
	var got []time.Duration
	for range 7 {
		got = append(got, b.Next(gone, 0, Window{}).Round(time.Second))
	}
	want := []time.Duration{2, 4, 8, 16, 30, 30, 30}
	for i := range want {
		if got[i] != want[i]*time.Second {
			t.Fatalf("waits %v, want %v s", got, want)
		}
	}
	if d := b.Next(gone, 61*time.Second, Window{}); d > firstSpread {
		t.Errorf("after a minute of calm: %v", d)
	}
	low := &Backoff{Rand: func(int64) int64 { return 0 }}
	low.Next(gone, 0, Window{})
	if d := low.Next(gone, 0, Window{}); d != shortest {
		t.Errorf("the shortest retry is %v", d)
	}
}

func TestBackoffFollowsTheServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cause    error
		window   Window
		min, max time.Duration
	}{
		"drain window":     {&Closed{Code: wire.CloseDrain}, Window{3 * time.Second, 9 * time.Second}, 3 * time.Second, 9 * time.Second},
		"window over auth": {&Closed{Code: wire.CloseAuth}, Window{time.Second, 2 * time.Second}, time.Second, 2 * time.Second},
		"retry after":      {&Refused{Status: 503, RetryAfter: 20 * time.Second}, Window{}, 20 * time.Second, 26 * time.Second},
		"auth":             {&Closed{Code: wire.CloseAuth}, Window{}, 5 * time.Minute, 10 * time.Minute},
		"too old":          {&Closed{Code: wire.CloseTooOld}, Window{}, 5 * time.Minute, 10 * time.Minute},
		"401":              {&Refused{Status: 401}, Window{}, 5 * time.Minute, 10 * time.Minute},
		"403":              {&Refused{Status: 403}, Window{}, 5 * time.Minute, 10 * time.Minute},
		"426":              {&Refused{Status: 426}, Window{}, 5 * time.Minute, 10 * time.Minute},
		"a proxy's 403":    {&NoUpgrade{&Refused{Status: 403}}, Window{}, 0, 2 * time.Second},
		"409":              {&Refused{Status: 409}, Window{}, 0, 2 * time.Second},
		"superseded":       {&Closed{Code: wire.CloseSuperseded}, Window{}, 0, 2 * time.Second},
		"too slow":         {&Closed{Code: wire.CloseTooSlow}, Window{}, 0, 2 * time.Second},
	} {
		for _, random := range []func(int64) int64{steady, func(int64) int64 { return 0 }, nil} {
			b := &Backoff{Rand: random}
			if d := b.Next(c.cause, 0, c.window); d < c.min || d > c.max {
				t.Errorf("%s: %v, want %v to %v", name, d, c.min, c.max)
			}
		}
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	answer := func(w http.ResponseWriter, r *http.Request) {}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answer(w, r) }))
	defer s.Close()
	c, err := New(Config{Server: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	answer = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(503)
		w.Write([]byte(`{"code":"unavailable","detail":"Come back later."}`))
	}
	_, err = c.Nonce(t.Context())
	var r *Refused
	if !errors.As(err, &r) || r.RetryAfter != 7*time.Second || r.Sentence != "Come back later." || r.Code != "unavailable" || r.Permanent() {
		t.Errorf("%+v", err)
	}
	answer = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://other.example/x", http.StatusFound)
	}
	if _, err = c.Nonce(t.Context()); err == nil || !strings.Contains(err.Error(), "https://other.example") {
		t.Error(err)
	}
	answer = func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>Please log in")) }
	if _, err = c.Nonce(t.Context()); err == nil || !strings.Contains(err.Error(), "not as an Octopus server") {
		t.Error(err)
	}
	answer = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == wire.PathNonce {
			w.Write([]byte(`{"nonce":"n"}`))
			return
		}
		w.WriteHeader(409)
		w.Write([]byte(`{"detail":"web-01 runs on two machines."}`))
	}
	_, key, _ := ed25519.GenerateKey(nil)
	if _, err = c.Dial(t.Context(), Identity{Agent: "agt_1", Key: key}); !errors.As(err, &r) || r.Status != 409 || r.Sentence != "web-01 runs on two machines." {
		t.Errorf("%+v", err)
	}
}

func TestStepsNameTheFault(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"nonce":"n"}`)) }))
	defer s.Close()
	run := func(server string) (names []string, err error) {
		c, err := New(Config{Server: server})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for _, step := range c.Steps() {
			names = append(names, step.Name)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			_, err := step.Do(ctx)
			cancel()
			if err != nil {
				return names, err
			}
		}
		return names, nil
	}
	if names, err := run(s.URL); err == nil || names[len(names)-1] != "tls" {
		t.Errorf("an unknown authority: %v %v", names, err)
	}
	if names, err := run("https://nowhere.invalid"); err == nil || names[len(names)-1] != "dns" {
		t.Errorf("an unknown name: %v %v", names, err)
	}
	s.Close()
	if names, err := run(s.URL); err == nil || names[len(names)-1] != "tcp" {
		t.Errorf("a closed port: %v %v", names, err)
	}
}

// TestBrokenDownloads: a module that does not arrive whole, is too large, or is small only on its way, is an error; never
// more than the limit is taken.
func TestBrokenDownloads(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 1<<20)
		switch digest := strings.TrimPrefix(r.URL.Path, wire.PathModules); digest {
		case "cut":
			w.Header().Set("Content-Length", "1000")
			w.Write(body[:500]) // the server closes the connection, as it announced more
		case "cut-chunks":
			w.Write(body[:500])
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "announced":
			w.Header().Set("Content-Length", "1048576")
			w.Write(body)
		case "endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(body[:limit]); err != nil {
					return
				}
			}
		case "bomb":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(body)
			z.Close()
		default:
			json.NewEncoder(w).Encode(wire.Nonce{Nonce: "n"})
		}
	}))
	defer web.Close()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := New(Config{Server: web.URL, Insecure: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for digest, want := range map[string]struct {
		most int64
		says string
	}{
		"cut": {500, "EOF"}, "cut-chunks": {500, "EOF"}, "announced": {0, "is over the"}, "endless": {limit + 1, "is over the"}, "bomb": {limit + 1, "is over the"},
	} {
		var got bytes.Buffer
		_, err := client.Module(t.Context(), Identity{Agent: "agt_1", Key: key}, digest, "", limit, &got)
		if err == nil || !strings.Contains(err.Error(), want.says) || int64(got.Len()) > want.most {
			t.Errorf("%s: %v, after %d bytes", digest, err, got.Len())
		}
	}
}
