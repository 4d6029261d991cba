// Package storetest is the suite that every database of the store must pass, and opens stores for tests.
package storetest

import (
	"testing"

	"octopus/server/store"
)

// Open returns a fresh SQLite store that is closed with the test.
func Open(t testing.TB) *store.Store { panic("not built yet") }

// Postgres returns the URL of a fresh PostgreSQL database, or skips the test when there is no server.
func Postgres(t testing.TB) string { panic("not built yet") }

// Main runs a package's tests, stops the PostgreSQL that they started and checks for leaked goroutines.
func Main(m *testing.M) { panic("not built yet") }

// Run runs the suite. open returns a fresh store each time.
func Run(t *testing.T, open func(t testing.TB) *store.Store) { panic("not built yet") }
