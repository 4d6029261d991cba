package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"octopus/internal/octopus"
	"octopus/internal/powercut"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// TestFailedSync lets each sync fail in turn: of commits, checkpoints, and the close. Whatever was not acknowledged
// may be there or not; what was acknowledged is, also after a power cut; and after the failure nothing is
// acknowledged, nor any sync asked for, until the files are opened anew.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	for n := range int64(12) {
		d := templateDisk(t)
		var syncs, after atomic.Int64
		var armed atomic.Bool
		d.Fail(func(o powercut.Op, _ string) error {
			if o != powercut.Sync || !armed.Load() {
				return nil
			}
			switch syncs.Add(1) - 1 - n {
			case 0:
				return syscall.EIO
			default:
				if syncs.Load()-1 > n {
					after.Add(1)
				}
				return nil
			}
		})
		s, err := newBoot(t, d, flaw{}).open(t)
		if err != nil {
			t.Fatal(err)
		}
		armed.Store(true)
		kept := fillUntilRefused(t, s)
		select {
		case <-s.Failed():
		default:
			t.Fatalf("sync %d failed and the store goes on", n)
		}
		if text := octopus.Sentence(s.Err()); !strings.Contains(text, "octopus.db failed") || !strings.Contains(text, "start the server again") {
			t.Errorf("it says %q", text)
		}
		if err := s.SetMeta(t.Context(), "later", "1"); octopus.CodeOf(err) != octopus.CodeUnavailable {
			t.Errorf("a later write: %v", err)
		}
		if _, _, err := s.Tasks(t.Context(), store.TaskFilter{}, store.Page{}); err != nil {
			t.Errorf("reading: %v", err)
		}
		s.Close()
		if after.Load() > 0 {
			t.Errorf("sync %d failed, and %d were tried after it", n, after.Load())
		}
		d.Fail(nil)
		mustHold(t, d, kept, "at once")
		mustHold(t, d.Cut(d.Len(), uint64(n)), kept, "after a power cut")
	}
}

// fillUntilRefused writes settings until one is refused, and returns the keys of those that were acknowledged.
func fillUntilRefused(t *testing.T, s *store.Store) (kept []string) {
	t.Helper()
	value := strings.Repeat("x", 200_000) // every few of them a checkpoint
	for i := range 200 {
		key := "key " + string(rune('a'+i%26)) + strings.Repeat("i", i/26)
		if err := s.SetMeta(t.Context(), key, value); err != nil {
			if octopus.CodeOf(err) != octopus.CodeUnavailable {
				t.Fatalf("refused with %v", err)
			}
			return kept
		}
		kept = append(kept, key)
	}
	return kept
}

func mustHold(t *testing.T, d *powercut.Disk, keys []string, when string) {
	t.Helper()
	s, err := newBoot(t, d, flaw{}).open(t)
	if err != nil {
		t.Fatalf("open %s: %v", when, err)
	}
	defer s.Close()
	for _, key := range keys {
		if _, err := s.Meta(t.Context(), key); err != nil {
			t.Errorf("%s: %s was acknowledged: %v", when, key, err)
		}
	}
	if err := s.SetMeta(t.Context(), "after", "1"); err != nil {
		t.Errorf("%s: writing: %v", when, err)
	}
}

// TestDiskTrouble tells a full disk from a broken one, and goes on by itself after both.
func TestDiskTrouble(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		err  error
		code octopus.Code
		says string
	}{
		{"full", syscall.ENOSPC, octopus.CodeNoSpace, "is full"},
		{"broken", syscall.EIO, octopus.CodeUnavailable, "disk of the database failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := templateDisk(t)
			b := newBoot(t, d, flaw{})
			options := store.Options{URL: filepath.Join(os.TempDir(), "octopus.db")}.Full(func(string) bool { return c.code == octopus.CodeNoSpace })
			s, err := store.Open(t.Context(), options.OnDisk(b.vfs, "", func(string) error { return nil }))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			d.Fail(func(o powercut.Op, _ string) error {
				if o == powercut.Write {
					return c.err
				}
				return nil
			})
			err = s.SetMeta(t.Context(), "k", "1")
			if octopus.CodeOf(err) != c.code || !strings.Contains(octopus.Sentence(err), c.says) {
				t.Errorf("writing: %v (%s)", err, octopus.CodeOf(err))
			}
			if _, err := s.Meta(t.Context(), "k"); octopus.CodeOf(err) != octopus.CodeNotFound {
				t.Errorf("reading: %v", err)
			}
			if h, err := s.Health(t.Context()); err != nil || h.NoSpace != (c.code == octopus.CodeNoSpace) {
				t.Errorf("health %+v, %v", h, err)
			}
			d.Fail(nil)
			if err := s.SetMeta(t.Context(), "k", "1"); err != nil || s.Err() != nil {
				t.Errorf("afterwards: %v, %v", err, s.Err())
			}
		})
	}
}

// TestDamagedAtStart refuses what is not a whole database, with a sentence that names the way back, and leaves the
// file as it is.
func TestDamagedAtStart(t *testing.T) {
	t.Parallel()
	flip := func(at, n int) func([]byte) []byte {
		return func(b []byte) []byte {
			for i := range n {
				b[at+i] ^= 0x5a
			}
			return b
		}
	}
	for name, damage := range map[string]func([]byte) []byte{
		"header":    flip(0, 16),
		"page size": flip(16, 2),
		"schema":    flip(100, 8),
		"truncated": func(b []byte) []byte { return b[:len(b)/2] },
		"torn":      func(b []byte) []byte { return b[:len(b)/2+100] },
		"text":      func([]byte) []byte { return []byte(strings.Repeat("milk, bread, cheese\n", 200)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := storetest.SQLite(t)
			whole, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			bad := damage(whole)
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(t.Context(), store.Options{URL: path})
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			text := octopus.Sentence(err)
			if !strings.Contains(text, filepath.Base(path)) || !strings.Contains(text, "octopus restore") || !strings.Contains(text, "docs/operations.md") {
				t.Errorf("it says %q (%v)", text, err)
			}
			if now, _ := os.ReadFile(path); string(now) != string(bad) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestDamagedWhileRunning flips pages below a running store: readers get a sentence, the rest is served; a writer
// that runs into it acknowledges nothing, and the store ends.
func TestDamagedWhileRunning(t *testing.T) {
	t.Parallel()
	path := storetest.SQLite(t)
	s, err := store.Open(t.Context(), store.Options{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	fillMeta(t, s)
	if err := s.Close(); err != nil { // everything is in the file, nothing in the log
		t.Fatal(err)
	}
	if s, err = store.Open(t.Context(), store.Options{URL: path}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	damagePages(t, path, "meta")
	var reading error
	for i := 0; i < 3000 && reading == nil; i++ {
		if _, err := s.Meta(t.Context(), metaKey(i)); octopus.CodeOf(err) == octopus.CodeUnavailable {
			reading = err
		}
	}
	if text := octopus.Sentence(reading); !strings.Contains(text, "is damaged") || !strings.Contains(text, "octopus restore") {
		t.Fatalf("reading damaged pages: %v", reading)
	}
	if h, err := s.Health(t.Context()); err != nil || !h.Damaged {
		t.Errorf("health: %+v, %v", h, err)
	}
	if _, _, err := s.Executions(t.Context(), store.ExecutionFilter{}, store.Page{}); err != nil {
		t.Errorf("what is whole is not served: %v", err)
	}
	select {
	case <-s.Failed():
		t.Error("a read ended the store")
	default:
	}
	var writing error
	for i := 0; i < 3000 && writing == nil; i++ {
		writing = s.SetMeta(t.Context(), metaKey(i), "new")
	}
	select {
	case <-s.Failed():
	default:
		t.Fatalf("a write into damaged pages: %v", writing)
	}
	if err := s.SetMeta(t.Context(), "other", "1"); !errors.Is(err, s.Err()) {
		t.Errorf("a later write: %v", err)
	}
}
