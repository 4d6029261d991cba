package store_test

import (
	"database/sql"
	"testing"

	"octopus/server/store/storetest"
)

// TestPostgresFaults breaks the connection to PostgreSQL under each operation of the store, at every request, before
// the server hears it and after it answered, and lets every request fail.
func TestPostgresFaults(t *testing.T) {
	t.Parallel()
	storetest.Postgres(t)
	for name, fault := range map[string]storetest.PostgresFault{
		"cut before the request": storetest.CutBefore, "cut after the request": storetest.CutAfter, "server error": storetest.ServerError,
	} {
		if (testing.Short() || raceDetector) && fault != storetest.CutAfter {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := storetest.Postgres(t)
			proxy := storetest.NewPostgresProxy(t, url, fault)
			db, err := sql.Open("pgx", url)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { db.Close() })
			storetest.Faults(t, &storetest.Rig{
				Store: storetest.OpenURL(t, proxy.URL), DB: db,
				Arm: proxy.Arm, Disarm: proxy.Disarm, Unknown: fault == storetest.CutAfter,
			}, faultSteps())
		})
	}
}
