package storetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"octopus/server/bus"
	"octopus/server/store"
)

// template is a migrated, empty database, made once per test process: copying it is faster than migrating.
var template = sync.OnceValues(func() ([]byte, error) {
	folder, err := os.MkdirTemp("", "octopus-template-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "octopus.db")
	s, err := store.Open(context.Background(), store.Options{URL: path})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil { // the last connection folds the WAL into the file
		return nil, err
	}
	return os.ReadFile(path)
})

// Open returns a fresh SQLite store with a bus, in a folder of the test. It is closed with the test.
func Open(t testing.TB) *store.Store {
	t.Helper()
	return OpenURL(t, SQLite(t))
}

// SQLite returns the path of a fresh, migrated SQLite database in a folder of the test.
func SQLite(t testing.TB) string {
	t.Helper()
	empty, err := template()
	if err != nil {
		t.Fatalf("template database: %v", err)
	}
	path := filepath.Join(t.TempDir(), "octopus.db")
	if err := os.WriteFile(path, empty, 0o600); err != nil {
		t.Fatalf("template database: %v", err)
	}
	return path
}

// OpenURL opens a database and closes it with the test.
func OpenURL(t testing.TB, url string) *store.Store {
	t.Helper()
	b := bus.NewLocal()
	s, err := store.Open(t.Context(), store.Options{URL: url, Bus: b})
	if err != nil {
		t.Fatalf("opening the store: %v", err)
	}
	urls.Store(s, url)
	t.Cleanup(func() {
		urls.Delete(s)
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
		b.Close()
	})
	return s
}

// urls remembers where the stores of OpenURL are.
var urls sync.Map

// sameURL is where a store of OpenURL is, to open it again or twice.
func sameURL(s *store.Store) string {
	url, _ := urls.Load(s)
	text, _ := url.(string)
	return text
}
