package wasmplugins

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// children are what the test binary can be when a test starts it.
var children = map[string]func() int{
	"runner": func() int { return RunnerMain(nil) },
	"stuck":  func() int { _, _ = io.Copy(io.Discard, os.Stdin); return 0 }, // says nothing, as long as its pool lives
}

var bg = context.Background()

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestMain lets the test binary be its own runner.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		if child := children[os.Args[1]]; child != nil {
			os.Exit(child())
		}
	}
	goleak.VerifyTestMain(m)
}

// module reads a module from testdata.
func module(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// shelf is a Load function over the modules in testdata.
type shelf map[string][]byte

func (s shelf) load(_ context.Context, digest string) ([]byte, error) {
	raw, ok := s[digest]
	if !ok {
		return nil, fmt.Errorf("no module %s", digest)
	}
	return raw, nil
}

// newPool starts a pool that holds the named modules, and says their digests.
func newPool(t testing.TB, c PoolConfig, names ...string) (*Pool, map[string]string) {
	t.Helper()
	s, digests := shelf{}, map[string]string{}
	for _, name := range names {
		raw := module(t, name)
		digests[name] = Digest(raw)
		s[digests[name]] = raw
	}
	c.Dir = t.TempDir()
	if c.Executable == nil {
		c.Executable = []string{os.Args[0], "runner"}
	}
	if c.Load == nil {
		c.Load = s.load
	}
	p, err := NewPool(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Close()
		_ = removeAll(filepath.Join(c.Dir, "compiled"))
	})
	return p, digests
}

func TestNoop(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "noop")
	t.Logf("level %+v", p.Level())
	for i := range 3 {
		ready := Prepared{}
		out := p.Run(t.Context(), Job{Digest: digests["noop"], Request: []byte("{}"), OnReady: func(p Prepared) error { ready = p; return nil }}, nil)
		if out.Err != nil || out.Response.StatusCode != 200 {
			t.Fatalf("run %d: %+v", i, out)
		}
		t.Logf("run %d: ready in %s, ran %s, %+v", i, out.ReadyTime.Round(time.Microsecond), out.GuestTime, ready)
	}
}
