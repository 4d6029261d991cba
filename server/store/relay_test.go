package store_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// opened opens a database with a bus, as a server does.
func opened(t *testing.T, url string) *store.Store {
	t.Helper()
	b := bus.NewLocal()
	s, err := store.Open(t.Context(), store.Options{URL: url, Bus: b})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); b.Close() })
	return s
}

// change commits something that others want to know.
func change(t *testing.T, s *store.Store, key string) {
	t.Helper()
	entry := octopus.CacheEntry{Region: "broadcast", Key: key, Value: []byte(`1`), ExpiresAt: time.Now().Add(time.Hour)}
	if err := s.CachePut(context.Background(), entry); err != nil {
		t.Fatal(err)
	}
}

// TestRelay has one server hear of what another one commits, and of nothing of its own.
func TestRelay(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	a, b := opened(t, url), opened(t, url)
	change(t, a, "before")
	reader := b.Relay()
	next := func() []bus.Hint {
		t.Helper()
		hints, lost, err := reader.Next(t.Context())
		if err != nil || lost {
			t.Fatalf("lost %v, %v", lost, err)
		}
		return hints
	}
	if got := next(); len(got) != 0 {
		t.Fatalf("a new reader heard of what was before it: %v", got)
	}
	change(t, a, "theirs")
	change(t, b, "ours")
	if got := next(); !slices.Contains(got, bus.Hint{Topic: "broadcast", ID: "theirs"}) || slices.Contains(got, bus.Hint{Topic: "broadcast", ID: "ours"}) {
		t.Fatalf("heard %v", got)
	}
	if got := next(); len(got) != 0 {
		t.Fatalf("heard again: %v", got)
	}
	for range 300 { // more than a reader waits for, had it not read them
		change(t, a, "many")
	}
	if got := next(); !slices.Contains(got, bus.Hint{Topic: "broadcast", ID: "many"}) {
		t.Fatalf("heard %v", got)
	}
}

// TestRelayTellsOfWhatIsGone has a reader come so late that what it did not read was deleted.
func TestRelayTellsOfWhatIsGone(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	a, b := opened(t, url), opened(t, url)
	reader := b.Relay()
	if _, _, err := reader.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 250 {
		change(t, a, "gone")
	}
	deleteHints(t, url, 249)
	change(t, a, "last")
	hints, lost, err := reader.Next(t.Context())
	if err != nil || !lost || !slices.Contains(hints, bus.Hint{Topic: "broadcast", ID: "last"}) {
		t.Fatalf("lost %v, heard %v, %v", lost, hints, err)
	}
}

// TestRelayWaitsForLateCommits reads a number that becomes visible after a higher one.
func TestRelayWaitsForLateCommits(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	a, b := opened(t, url), opened(t, url)
	reader := b.Relay()
	if _, _, err := reader.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	commit := lateHint(t, url, `[["broadcast","late"]]`)
	change(t, a, "early")
	hints, lost, err := reader.Next(t.Context())
	if err != nil || lost || !slices.Contains(hints, bus.Hint{Topic: "broadcast", ID: "early"}) || slices.Contains(hints, bus.Hint{Topic: "broadcast", ID: "late"}) {
		t.Fatalf("lost %v, heard %v, %v", lost, hints, err)
	}
	commit()
	hints, lost, err = reader.Next(t.Context())
	if err != nil || lost || !slices.Equal(hints, []bus.Hint{{Topic: "broadcast", ID: "late"}}) {
		t.Fatalf("lost %v, heard %v, %v", lost, hints, err)
	}
}

// deleteHints deletes the oldest rows, as a purge does that came too early for a reader.
func deleteHints(t *testing.T, url string, n int) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("DELETE FROM hints WHERE id IN (SELECT id FROM hints ORDER BY id LIMIT $1)", n); err != nil {
		t.Fatal(err)
	}
}

// lateHint writes a row that becomes visible when commit is called.
func lateHint(t *testing.T, url, body string) (commit func()) {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	tx, err := db.Begin()
	if err == nil {
		_, err = tx.Exec("INSERT INTO hints (writer, at, body) VALUES ('other', 0, $1)", body)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
}
