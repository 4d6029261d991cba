// Package storetest is the suite that every database of the store must pass, and opens stores for tests.
package storetest

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"octopus/server/bus"
	"octopus/server/store"
)

// Open returns a fresh SQLite store that is closed with the test.
func Open(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: filepath.Join(t.TempDir(), "octopus.db"), Bus: bus.NewLocal()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Postgres returns the URL of a fresh PostgreSQL database, or skips the test when there is no server.
func Postgres(t testing.TB) string { panic("not built yet") }

// Main runs a package's tests, stops the PostgreSQL that they started and checks for leaked goroutines.
func Main(m *testing.M) {
	code := m.Run()
	if err := goleak.Find(); err != nil {
		os.Stderr.WriteString(err.Error() + "\n")
		code = 1
	}
	os.Exit(code)
}

// Run runs the suite. open returns a fresh store each time.
func Run(t *testing.T, open func(t testing.TB) *store.Store) { panic("not built yet") }
