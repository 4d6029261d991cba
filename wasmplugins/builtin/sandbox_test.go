package builtin_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"octopus/internal/stall"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/builtin"
	"octopus/wasmplugins/builtin/bundle"
	"octopus/wasmplugins/trial"
)

// TestMain lets the test binary be its own runner.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "runner" {
		os.Exit(wasmplugins.RunnerMain(os.Args[2:]))
	}
	goleak.VerifyTestMain(m)
}

// shelf holds the real modules by digest.
type shelf struct {
	modules   map[string][]byte
	manifests map[string]spec.Manifest
	digests   map[string]string // by name
}

// modules builds what is missing in dist, once.
var modules = sync.OnceValues(func() (shelf, error) {
	s := shelf{modules: map[string][]byte{}, manifests: map[string]spec.Manifest{}, digests: map[string]string{}}
	if _, err := bundle.Build(context.Background(), bundle.Config{}); err != nil {
		return s, err
	}
	all, err := builtin.From(os.DirFS("."))
	if err != nil {
		return s, err
	}
	for _, p := range all {
		if s.modules[p.Digest], err = p.Module(); err != nil {
			return s, err
		}
		if s.manifests[p.Name], err = wasmplugins.ManifestOf(s.modules[p.Digest]); err != nil {
			return s, fmt.Errorf("%s: %w", p.Name, err)
		}
		s.digests[p.Name] = p.Digest
	}
	return s, nil
})

// sandbox starts a pool over the real modules. Compiled code is kept in the
// git-ignored .cache of the source folder, because seven Go modules take
// seconds each.
func sandbox(t *testing.T) (*wasmplugins.Pool, shelf) {
	t.Helper()
	s, err := modules()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Abs("../../.cache/sandbox-test")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := wasmplugins.NewPool(wasmplugins.PoolConfig{
		Dir: dir, Executable: []string{program(), "runner"}, MaxRunners: 2,
		Load: func(_ context.Context, digest string) ([]byte, error) {
			if m, ok := s.modules[digest]; ok {
				return m, nil
			}
			return nil, fmt.Errorf("no module %s", digest)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return pool, s
}

// Each plugin passes the test cases in its own manifest, as the module that we
// ship, in the sandbox that agents use.
func TestManifestCases(t *testing.T) {
	pool, s := sandbox(t)
	for name, m := range s.manifests {
		for _, test := range m.Tests {
			t.Run(name+"/"+test.Name, func(t *testing.T) {
				params := test.Params
				if len(params) == 0 {
					params = json.RawMessage(`{}`)
				}
				r := trial.Run(t.Context(), pool, s.digests[name], m, test, params)
				if !r.OK() || r.Outcome.Err != nil {
					t.Errorf("%s (%v)", strings.Join(r.Mismatch, " "), r.Outcome.Err)
				}
			})
		}
	}
}

// program is what runs runners: what the Makefile built without the race
// detector, or this test itself.
func program() string {
	if built := os.Getenv("OCTOPUS_TEST_BINARY"); built != "" {
		return built
	}
	return os.Args[0]
}

func request(t *testing.T, action, params string) []byte {
	t.Helper()
	raw, err := json.Marshal(spec.Request{ABI: spec.ABI, Action: action, Params: json.RawMessage(params)})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The clock and the waiting are the real ones: a delay takes its time, lines
// and progress arrive while it lasts, a cancel ends it early.
func TestEchoLives(t *testing.T) {
	pool, s := sandbox(t)
	var lines []string
	var progress []float64
	stalled := stall.Watch(t)
	out := pool.Run(t.Context(), wasmplugins.Job{
		Digest: s.digests["echo"], Request: request(t, "echo", `{"message":"hi","delay_seconds":1.2,"log_lines":4}`),
		OnLog: func(batch []wasmplugins.LogLine) {
			for _, l := range batch {
				lines = append(lines, l.Text)
			}
		},
		OnProgress: func(f float64, _ string) { progress = append(progress, f) },
	}, wasmplugins.DenyAll)
	if out.Response.StatusCode != 200 || out.GuestTime < 1200*time.Millisecond {
		t.Errorf("got %+v after %s, %v", out.Response, out.GuestTime, out.Err)
	}
	steps := 3
	if stalled() > 200*time.Millisecond {
		steps = 1 // what comes together is told together
	}
	if len(lines) != 4 || len(progress) < steps || progress[len(progress)-1] != 1 {
		t.Errorf("lines %q, progress %v", lines, progress)
	}
	cancelled := make(chan struct{})
	stalled = stall.Watch(t)
	cancel := sync.OnceFunc(func() { close(cancelled) })
	out = pool.Run(t.Context(), wasmplugins.Job{
		Digest: s.digests["echo"], Request: request(t, "echo", `{"message":"hi","delay_seconds":20}`), Cancelled: cancelled,
		OnProgress: func(float64, string) { cancel() },
	}, wasmplugins.DenyAll)
	if out.Response.StatusCode != 499 || out.GuestTime > 10*time.Second+stalled() {
		t.Errorf("got %+v after %s, %v", out.Response, out.GuestTime, out.Err)
	}
}

// What is not granted ends as a sentence, not as a crash.
func TestDenied(t *testing.T) {
	pool, s := sandbox(t)
	for name, job := range map[string][2]string{
		"http-check":  {"check", `{"url":"https://example.com"}`},
		"tcp-check":   {"check", `{"host":"example.com","port":1}`},
		"dns-lookup":  {"lookup", `{"name":"example.com"}`},
		"tls-expiry":  {"check", `{"host":"example.com"}`},
		"system-info": {"collect", `{}`},
		"disk-usage":  {"check", `{}`},
		"exec":        {"run", `{"command":"uptime"}`},
		"script":      {"run", `{"interpreter":"sh","text":"true"}`},
	} {
		out := pool.Run(t.Context(), wasmplugins.Job{Digest: s.digests[name], Request: request(t, job[0], job[1])}, wasmplugins.DenyAll)
		if out.Response.StatusCode != 403 || out.Response.Error == nil || out.Response.Error.Code != "denied" {
			t.Errorf("%s: %+v, %v", name, out.Response, out.Err)
		}
	}
}
