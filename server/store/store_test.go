package store_test

import (
	"testing"

	"octopus/server/store"
	"octopus/server/store/storetest"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Open)
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	storetest.Postgres(t) // skips here where there is none, and not once a test
	storetest.Run(t, func(t testing.TB) *store.Store { return storetest.OpenURL(t, storetest.Postgres(t)) })
}
