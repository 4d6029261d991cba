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
)

// maxModule is the largest module that is fetched, in bytes (the sandbox refuses larger ones anyway).
const maxModule = 32 << 20

// Fetcher downloads a module into w.
type Fetcher func(ctx context.Context, digest string, limit int64, w io.Writer) error

// Cache keeps plugin modules on disk by digest. The digest is checked on each load, so that a changed file never
// runs; the longest unused go first when the bound is reached.
type Cache struct {
	root  *os.Root // static
	max   int64    // static: bytes
	fetch Fetcher  // static

	mu      sync.Mutex // guards what follows
	flights map[string]*flight
	used    map[string]time.Time // by file name
	sizes   map[string]int64     // by file name, as it was written
	bytes   int64                // their sum
}

// flight is a download that others may wait for.
type flight struct {
	done chan struct{}
	err  error
}

// Open reads what an earlier process left in root. max is in bytes.
func Open(root *os.Root, max int64, fetch Fetcher) (*Cache, error) {
	m := &Cache{root: root, max: max, fetch: fetch, flights: map[string]*flight{}, used: map[string]time.Time{}, sizes: map[string]int64{}}
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
		if err != nil || !strings.HasSuffix(entry.Name(), ".wasm") {
			root.Remove(entry.Name()) // left by a crash
			continue
		}
		m.used[entry.Name()] = info.ModTime()
		m.sizes[entry.Name()] = info.Size()
		m.bytes += info.Size()
	}
	return m, nil
}

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
			m.used[name] = time.Now()
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

func (m *Cache) download(ctx context.Context, f *flight, digest, name string) {
	var size int64
	size, f.err = m.store(ctx, digest, name)
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.flights, name)
	if f.err == nil {
		m.used[name] = time.Now()
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
	sum := sha256.New()
	err = m.fetch(ctx, digest, maxModule, io.MultiWriter(file, sum))
	size, _ := file.Seek(0, io.SeekCurrent)
	if cerr := file.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return 0, err
	}
	if hex.EncodeToString(sum.Sum(nil)) != strings.TrimSuffix(name, ".wasm") {
		return 0, ErrDigest
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
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(m.used[a].UnixNano(), m.used[b].UnixNano()) })
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
	delete(m.used, name)
	delete(m.sizes, name)
}

// Load returns a module. A file that does not match its name any more is removed and fetched again.
func (m *Cache) Load(ctx context.Context, digest string) ([]byte, error) {
	name, err := fileName(digest)
	if err != nil {
		return nil, err
	}
	for range 2 {
		if _, err := m.Ensure(ctx, digest); err != nil {
			return nil, err
		}
		raw, err := m.root.ReadFile(name)
		sum := sha256.Sum256(raw)
		if err == nil && hex.EncodeToString(sum[:]) == strings.TrimSuffix(name, path.Ext(name)) {
			return raw, nil
		}
		m.mu.Lock()
		m.remove(name)
		m.mu.Unlock()
	}
	return nil, ErrDigest
}
