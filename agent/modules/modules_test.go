package modules

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"octopus/internal/wire"
	"octopus/wasmplugins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func TestModuleCache(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var fetched atomic.Int32
	shelf := map[string][]byte{}
	fetch := func(_ context.Context, digest, _ string, _ int64, w io.Writer) (wire.SignedModule, error) {
		fetched.Add(1)
		raw, ok := shelf[digest]
		if !ok {
			return wire.SignedModule{}, errors.New("there is no such module")
		}
		_, err := w.Write(raw)
		return wire.SignedModule{}, err
	}
	unsigned := func(context.Context, wire.SignedModule) error { return nil }
	var digests []string
	for i := range 4 {
		raw := bytes.Repeat([]byte{byte(i)}, 1000)
		digests = append(digests, wasmplugins.Digest(raw))
		shelf[digests[i]] = raw
	}
	m, err := Open(openRoot(t, dir), 2500, fetch, unsigned)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if raw, err := m.Load(t.Context(), digests[0]); err != nil || !bytes.Equal(raw, shelf[digests[0]]) {
				t.Errorf("%v", err)
			}
		})
	}
	wg.Wait()
	if fetched.Load() != 1 {
		t.Errorf("fetched %d times for eight that asked at once", fetched.Load())
	}
	// The longest unused goes.
	for _, d := range []string{digests[1], digests[0], digests[2]} {
		if _, err := m.Ensure(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	list, _ := filepath.Glob(filepath.Join(dir, "*.wasm"))
	if len(list) != 2 || m.bytes != 2000 {
		t.Errorf("%d files, %d bytes", len(list), m.bytes)
	}
	before := fetched.Load()
	if _, err := m.Ensure(t.Context(), digests[0]); err != nil || fetched.Load() != before {
		t.Error("the wrong one was removed")
	}
	// A file that was changed on disk never runs: it is fetched again.
	name, _ := fileName(digests[0])
	if err := os.WriteFile(filepath.Join(dir, name), []byte("evil"), 0o600); err != nil {
		t.Fatal(err)
	}
	if raw, err := m.Load(t.Context(), digests[0]); err != nil || !bytes.Equal(raw, shelf[digests[0]]) || fetched.Load() != before+1 {
		t.Errorf("%q %v", raw, err)
	}
	if _, err := m.Load(t.Context(), wasmplugins.Digest([]byte("none"))); err == nil {
		t.Error("a module that nobody has")
	}
	again, err := Open(openRoot(t, dir), 2500, fetch, unsigned)
	if err != nil || len(again.used) != 2 {
		t.Errorf("after a restart: %v %v", again.used, err)
	}
}

// TestBrokenDownload: of a download that ends early nothing stays, and the next one is whole.
func TestBrokenDownload(t *testing.T) {
	t.Parallel()
	dir, raw := t.TempDir(), bytes.Repeat([]byte{7}, 1000)
	cut := errors.New("cut off")
	broken := true
	fetch := func(_ context.Context, _, _ string, _ int64, w io.Writer) (wire.SignedModule, error) {
		if broken {
			if _, err := w.Write(raw[:500]); err != nil {
				return wire.SignedModule{}, err
			}
			return wire.SignedModule{}, cut
		}
		_, err := w.Write(raw)
		return wire.SignedModule{}, err
	}
	m, err := Open(openRoot(t, dir), 1<<20, fetch, func(context.Context, wire.SignedModule) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Load(t.Context(), wasmplugins.Digest(raw)); !errors.Is(err, cut) {
		t.Errorf("a broken download: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	broken = false
	if got, err := m.Load(t.Context(), wasmplugins.Digest(raw)); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("the next one: %d bytes, %v", len(got), err)
	}
}
