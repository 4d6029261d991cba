package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, c := range map[string]struct {
		url  string
		code octopus.Code
		says string
	}{
		"not a database": {file("notes.txt", strings.Repeat("this is no database\n", 100)), octopus.CodeInvalid, "notes.txt"},
		"a folder":       {folder, octopus.CodeDenied, filepath.Base(folder)},
		"below a file":   {filepath.Join(file("file", ""), "octopus.db"), octopus.CodeDenied, "octopus.db"},
		"bad address":    {"postgres://user:secret@host:port/x", octopus.CodeInvalid, "postgres://"},
		"nobody answers": {"postgres://u@127.0.0.1:1/x?connect_timeout=2", octopus.CodeUnavailable, "does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := store.Open(t.Context(), store.Options{URL: c.url})
			if err == nil {
				s.Close()
			}
			if octopus.CodeOf(err) != c.code || !strings.Contains(octopus.Sentence(err), c.says) || strings.Contains(err.Error(), "secret") {
				t.Fatalf("error %v (%s), want %s that says %q", err, octopus.CodeOf(err), c.code, c.says)
			}
		})
	}
}

// age sets the newest migration of a database.
func age(t *testing.T, driver, url string) {
	t.Helper()
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE goose_db_version SET version_id = 999999 WHERE version_id > 0"); err != nil {
		t.Fatal(err)
	}
}

func TestOpenNewer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		driver string
		url    func(testing.TB) string
	}{{"sqlite3", storetest.SQLite}, {"pgx", storetest.Postgres}} {
		t.Run(c.driver, func(t *testing.T) {
			t.Parallel()
			url := c.url(t)
			age(t, c.driver, url)
			_, err := store.Open(t.Context(), store.Options{URL: url})
			if octopus.CodeOf(err) != octopus.CodeUnavailable || !strings.Contains(octopus.Sentence(err), "newer Octopus") {
				t.Fatalf("error %v", err)
			}
		})
	}
}

// TestOpenTogether: several servers that start at once on an empty database all come up.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	for name, url := range map[string]func(testing.TB) string{
		"sqlite":   func(t testing.TB) string { return filepath.Join(t.TempDir(), "new", "octopus.db") },
		"postgres": storetest.EmptyPostgres,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := url(t)
			errs := make(chan error)
			for range 3 {
				go func() {
					s, err := store.Open(t.Context(), store.Options{URL: address})
					if err == nil {
						err = s.SetMeta(t.Context(), "k", "v")
						s.Close()
					}
					errs <- err
				}()
			}
			for range 3 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestCrash copies a database while it is open, as a crash would leave it: everything acknowledged is there.
func TestCrash(t *testing.T) {
	t.Parallel()
	path := storetest.SQLite(t)
	s := storetest.OpenURL(t, path)
	ids := make(chan string, 200)
	for range 8 {
		go func() {
			for range 25 {
				n := storetest.NewRun(s, 1, nil)
				if _, _, err := s.CreateRun(t.Context(), n); err != nil {
					t.Error(err)
				}
				ids <- n.Run.ID
			}
		}()
	}
	var acknowledged []string
	for range 200 {
		acknowledged = append(acknowledged, <-ids)
	}
	copied := filepath.Join(t.TempDir(), "octopus.db")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	after := storetest.OpenURL(t, copied)
	for _, id := range acknowledged {
		if _, err := after.Run(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
}
