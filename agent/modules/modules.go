// Package modules keeps plugin modules on an agent's disk.
package modules

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// maxModule is the largest module that is fetched, in bytes (the sandbox refuses larger ones anyway).
const maxModule = 32 << 20

// Fetcher downloads a module into w, and returns what the server signed of it. refused is why the copy that was here was
// not loaded, "" where there was none.
type Fetcher func(ctx context.Context, digest, refused string, limit int64, w io.Writer) (wire.SignedModule, error)

// Verifier says whether what a server signed of a module is to be believed: nil, or why not.
type Verifier func(ctx context.Context, m wire.SignedModule) error

// Cache keeps plugin modules on disk by digest, each with what the server signed of it. Digest and signature are checked
// on each load, so that a changed file never runs; the longest unused go first when the bound is reached.
type Cache struct {
	root   *os.Root // static
	max    int64    // static: bytes
	fetch  Fetcher  // static
	verify Verifier // static

	mu      sync.Mutex                   // guards what follows
	signed  map[string]wire.SignedModule // by file name: what was verified in this process
	refused map[string]string            // by file name: why it was not loaded, for the next fetch
	flights map[string]*flight
	used    map[string]int64 // by file name: greater is later
	latest  int64            // the greatest of used
	sizes   map[string]int64 // by file name, as it was written
	bytes   int64            // their sum
}

// flight is a download that others may wait for.
type flight struct {
	done chan struct{}
	err  error
}

// Open reads what an earlier process left in root. max is in bytes.
func Open(root *os.Root, max int64, fetch Fetcher, verify Verifier) (*Cache, error) {
	m := &Cache{
		root: root, max: max, fetch: fetch, verify: verify, flights: map[string]*flight{}, used: map[string]int64{}, sizes: map[string]int64{},
		signed: map[string]wire.SignedModule{}, refused: map[string]string{},
	}
	dir, err := root.Open(".")
	if err != nil {
		return nil, fmt.Errorf("module cache: %w", err)
	}
	defer dir.Close()
	list, err := dir.ReadDir(-1)
	if err != nil {
		return nil, fmt.Errorf("module cache: %w", err)
	}
	for _, entry := range list {
		info, err := entry.Info()
		if strings.HasSuffix(entry.Name(), suffixSigned) {
			continue // goes with its module
		}
		if err != nil || !strings.HasSuffix(entry.Name(), ".wasm") {
			root.Remove(entry.Name()) // left by a crash
			continue
		}
		m.used[entry.Name()] = info.ModTime().UnixNano()
		if at := info.ModTime().UnixNano(); at > m.latest {
			m.latest = at
		}
		m.sizes[entry.Name()] = info.Size()
		m.bytes += info.Size()
	}
	return m, nil
}

// Max is the bound of what is kept, in bytes.
func (m *Cache) Max() int64 { return m.max }

// fileName is where a digest's module lies.
func fileName(digest string) (string, error) {
	sum, ok := strings.CutPrefix(digest, "sha256:")
	if raw, err := hex.DecodeString(sum); !ok || err != nil || len(raw) != sha256.Size {
		return "", octopus.Errorf(octopus.CodeInvalid, "%q is not the digest of a module.", digest)
	}
	return strings.ToLower(sum) + ".wasm", nil
}

// Ensure has a module on disk when it returns, and says how long the download took (0: it was there).
func (m *Cache) Ensure(ctx context.Context, digest string) (time.Duration, error) {
	name, err := fileName(digest)
	if err != nil {
		return 0, err
	}
	for {
		m.mu.Lock()
		if _, ok := m.used[name]; ok {
			m.use(name)
			m.mu.Unlock()
			return 0, nil
		}
		f, waiting := m.flights[name]
		if !waiting {
			f = &flight{done: make(chan struct{})}
			m.flights[name] = f
		}
		m.mu.Unlock()
		if !waiting {
			start := time.Now()
			m.download(ctx, f, digest, name)
			return time.Since(start), f.err
		}
		select {
		case <-f.done: // look again: the one that downloaded may have been cancelled
			if f.err != nil && !errors.Is(f.err, context.Canceled) {
				return 0, f.err
			}
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
}

// use notes that a file is the latest that was used. m.mu is held.
func (m *Cache) use(name string) {
	m.latest++
	m.used[name] = m.latest
}

func (m *Cache) download(ctx context.Context, f *flight, digest, name string) {
	var size int64
	size, f.err = m.store(ctx, digest, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.flights, name)
	if f.err == nil {
		m.use(name)
		m.sizes[name] = size
		m.bytes += size
		m.evict(name)
	}
	close(f.done)
}

// store downloads into a temporary file, checks it, and puts it in place.
func (m *Cache) store(ctx context.Context, digest, name string) (int64, error) {
	temp := name + ".tmp"
	file, err := m.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, fmt.Errorf("store module: %w", err)
	}
	defer m.root.Remove(temp)
	m.mu.Lock()
	refused := m.refused[name]
	m.mu.Unlock()
	sum := sha256.New()
	signed, err := m.fetch(ctx, digest, refused, maxModule, io.MultiWriter(file, sum))
	size, _ := file.Seek(0, io.SeekCurrent)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return 0, err
	}
	m.refuse(name, "") // the server has been told
	if hex.EncodeToString(sum.Sum(nil)) != strings.TrimSuffix(name, ".wasm") {
		m.refuse(name, ErrDigest.Error())
		return 0, ErrDigest
	}
	if err := m.believe(ctx, signed, digest, size); err != nil {
		m.refuse(name, err.Error())
		return 0, err
	}
	if err := m.keepSigned(name, signed); err != nil {
		return 0, err
	}
	if err := m.root.Rename(temp, name); err != nil {
		return 0, fmt.Errorf("store module: %w", err)
	}
	return size, nil
}

// ErrDigest says that a download was not what was asked for.
var ErrDigest = octopus.Errorf(octopus.CodeInvalid, "What the server sent is not the module that was asked for: its digest differs.")

// evict removes the longest unused files until the bound holds, never keep. It is called with mu held.
func (m *Cache) evict(keep string) {
	if m.bytes <= m.max {
		return
	}
	names := make([]string, 0, len(m.used))
	for name := range m.used {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(m.used[a], m.used[b]) })
	for _, name := range names {
		if m.bytes <= m.max {
			return
		}
		if name != keep {
			m.remove(name)
		}
	}
}

func (m *Cache) remove(name string) {
	m.bytes -= m.sizes[name]
	m.root.Remove(name)
	m.root.Remove(signedName(name))
	delete(m.used, name)
	delete(m.sizes, name)
	delete(m.signed, name)
}

// Load returns a module. A file that does not match its name any more, or whose signature is not believed, is removed
// and fetched again, once.
func (m *Cache) Load(ctx context.Context, digest string) ([]byte, error) {
	name, err := fileName(digest)
	if err != nil {
		return nil, err
	}
	for range 2 {
		if _, err := m.Ensure(ctx, digest); err != nil {
			return nil, err
		}
		var raw []byte
		if raw, err = m.read(ctx, digest, name); err == nil {
			return raw, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		m.mu.Lock()
		m.remove(name)
		m.refused[name] = err.Error()
		m.mu.Unlock()
	}
	return nil, err
}

// read reads a module that is on disk and checks it.
func (m *Cache) read(ctx context.Context, digest, name string) ([]byte, error) {
	raw, err := m.root.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read module: %w", err)
	}
	sum := sha256.Sum256(raw)
	if hex.EncodeToString(sum[:]) != strings.TrimSuffix(name, path.Ext(name)) {
		return nil, errChanged
	}
	signed := m.readSigned(name)
	if err := m.believe(ctx, signed, digest, int64(len(raw))); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.signed[name] = signed
	return raw, nil
}

// errChanged says that a file is not what was stored.
var errChanged = octopus.Errorf(octopus.CodeInvalid, "The module on the agent's disk was changed: its digest differs.")
