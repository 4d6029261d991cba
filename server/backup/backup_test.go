package backup_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"octopus/internal/octopus"
	"octopus/server/backup"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m, goleak.IgnoreCurrent()) }

func open(t *testing.T, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{URL: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, err error, code octopus.Code, says string) {
	t.Helper()
	if octopus.CodeOf(err) != code || !strings.Contains(octopus.Sentence(err), says) {
		t.Errorf("%v (%s), not %s that says %q", err, octopus.CodeOf(err), code, says)
	}
}

func setting(i int) string { return fmt.Sprintf("setting %05d", i) }

// TestUnderLoad backs up while a writer goes on: what was there before is in it, what it holds is one moment, and
// nobody was stopped.
func TestUnderLoad(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.SQLite(t))
	write := func(i int) error { return s.SetMeta(t.Context(), setting(i), strings.Repeat("x", 20_000)) }
	for i := range 300 {
		ok(t, write(i))
	}
	ctx, stop := context.WithCancel(t.Context())
	var writer sync.WaitGroup
	written := 300
	writer.Go(func() {
		for ctx.Err() == nil {
			if err := write(written); err != nil {
				t.Error(err)
				return
			}
			written++
		}
	})
	path := filepath.Join(t.TempDir(), "sub", "b.db")
	var fractions []float64
	m, err := backup.Write(t.Context(), s, path, "1.2.3", func(f float64) { fractions = append(fractions, f) })
	stop()
	writer.Wait()
	ok(t, err)
	if fractions[len(fractions)-1] != 1 || len(fractions) < 4 {
		t.Errorf("progress %v", fractions)
	}
	again, err := backup.ReadManifest(path)
	ok(t, err)
	if again != m || m.Version != "1.2.3" || m.SchemaVersion == 0 || m.Bytes < 300*20_000 || time.Since(m.CreatedAt) > time.Hour {
		t.Errorf("manifest %+v, read again %+v", m, again)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	copied := open(t, path)
	last := 0
	for ; ; last++ {
		if _, err := copied.Meta(t.Context(), setting(last)); err != nil {
			break
		}
	}
	if last < 300 {
		t.Errorf("only %d of what was there before is in the backup", last)
	}
	for i := last; i < written; i++ {
		if _, err := copied.Meta(t.Context(), setting(i)); octopus.CodeOf(err) != octopus.CodeNotFound {
			t.Fatalf("it holds %d, but not %d", i, last)
		}
	}
	_, err = backup.Write(t.Context(), s, path, "1", nil)
	refused(t, err, octopus.CodeConflict, "exists already")
	if err := s.SetMeta(t.Context(), "after", "1"); err != nil {
		t.Error(err)
	}
}

// TestWhereOneStands backs up and restores files that are named from the working folder, as `octopus dev` and
// `octopus backup FILE` name them. It is not parallel: the working folder is the whole process's.
func TestWhereOneStands(t *testing.T) {
	t.Chdir(t.TempDir())
	database, file := filepath.Join("octopus-data", "octopus.db"), filepath.Join("octopus-data", "backups", "b.db")
	backedUp(t, database, file)
	r := backup.Restore{Backup: file, Database: database}
	_, err := r.Run(t.Context())
	ok(t, err)
	if got := value(t, database); got != "then" {
		t.Errorf("restored %q", got)
	}
}

// TestPostgres says what to use instead.
func TestPostgres(t *testing.T) {
	t.Parallel()
	s := open(t, storetest.Postgres(t))
	_, err := backup.Write(t.Context(), s, filepath.Join(t.TempDir(), "b"), "1", nil)
	refused(t, err, octopus.CodeInvalid, "pg_dump")
	ok(t, s.RenewServer(t.Context(), store.Server{ID: "srv_1", URL: "http://other", StartedAt: s.Now()}))
	_, err = backup.InPlace(t.Context(), s, s.Now(), false)
	refused(t, err, octopus.CodeConflict, "http://other works on this database")
}

// world is a database with a backup, changed since.
func world(t *testing.T) (database, file string) {
	t.Helper()
	database, file = storetest.SQLite(t), filepath.Join(t.TempDir(), "b.db")
	backedUp(t, database, file)
	return database, file
}

// backedUp leaves a database in which k is "now", and a backup in which it is "then".
func backedUp(t *testing.T, database, file string) {
	t.Helper()
	s := open(t, database)
	ok(t, s.SetMeta(t.Context(), "k", "then"))
	_, err := backup.Write(t.Context(), s, file, "1", nil)
	ok(t, err)
	ok(t, s.SetMeta(t.Context(), "k", "now"))
	ok(t, s.Close())
}

func value(t *testing.T, database string) string {
	t.Helper()
	s := open(t, database)
	defer s.Close()
	v, err := s.Meta(t.Context(), "k")
	ok(t, err)
	return v
}

func TestRestore(t *testing.T) {
	t.Parallel()
	database, file := world(t)
	r := backup.Restore{Backup: file, Database: database}
	first, err := r.Run(t.Context())
	ok(t, err)
	if value(t, database) != "then" || value(t, first.Aside) != "now" {
		t.Errorf("restored %q, aside %q", value(t, database), value(t, first.Aside))
	}
	second, err := r.Run(t.Context())
	ok(t, err)
	if first.Generation <= 0 || second.Generation <= first.Generation {
		t.Errorf("the same backup twice: generations %d and %d", first.Generation, second.Generation)
	}
	s := open(t, database)
	if got := s.Restore(); got.Generation != second.Generation || got.Settled || got.Floor() <= first.Generation<<23 {
		t.Errorf("the database says %+v", got)
	}
	s.Close()
	ok(t, os.Remove(database))
	third, err := r.Run(t.Context()) // into an empty folder
	ok(t, err)
	if third.Aside != "" || value(t, database) != "then" {
		t.Errorf("%+v", third)
	}
}

// TestRestoreRefuses what is not whole, before it touches anything.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	edit := func(change func([]byte) []byte) func(t *testing.T, file string) {
		return func(t *testing.T, file string) {
			raw, err := os.ReadFile(file)
			ok(t, err)
			ok(t, os.WriteFile(file, change(raw), 0o600))
		}
	}
	for name, c := range map[string]struct {
		spoil      func(t *testing.T, file string)
		noManifest bool
		code       octopus.Code
		says       string
	}{
		"no file":     {func(t *testing.T, file string) { os.Remove(file); os.Remove(file + ".json") }, false, octopus.CodeNotFound, "There is no backup"},
		"no manifest": {func(t *testing.T, file string) { os.Remove(file + ".json") }, false, octopus.CodeInvalid, "--no-manifest"},
		"a later one": {func(t *testing.T, file string) { os.WriteFile(file+".json", []byte(`{"format":9}`), 0o600) }, false, octopus.CodeTooOld, "newer Octopus"},
		"flipped":     {edit(func(b []byte) []byte { b[len(b)/2] ^= 1; return b }), false, octopus.CodeInvalid, "not what its manifest says"},
		"cut off":     {edit(func(b []byte) []byte { return b[:len(b)-4096] }), false, octopus.CodeInvalid, "not what its manifest says"},
		"damaged, without a manifest": {edit(func(b []byte) []byte { clear(b[len(b)/2 : len(b)/2+8192]); return b }), true,
			octopus.CodeInvalid, "nothing was changed"},
		"no database": {edit(func([]byte) []byte { return []byte(strings.Repeat("bread, milk\n", 900)) }), true, octopus.CodeInvalid, "nothing was changed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database, file := world(t)
			c.spoil(t, file)
			_, err := backup.Restore{Backup: file, Database: database, NoManifest: c.noManifest}.Run(t.Context())
			refused(t, err, c.code, c.says)
			if value(t, database) != "now" {
				t.Error("the database was touched")
			}
			if left, _ := filepath.Glob(database + ".*"); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestInterrupted: a crash between the moves leaves a mark with which no server starts, and running it again finishes.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	database, file := world(t)
	if err := backup.Interrupted(database); err != nil {
		t.Error(err)
	}
	raw, err := os.ReadFile(file)
	ok(t, err)
	ok(t, os.WriteFile(database+".restoring", raw, 0o600)) // as if it had died before the last move
	refused(t, backup.Interrupted(database), octopus.CodeConflict, "again")
	_, err = backup.Restore{Backup: file, Database: database}.Run(t.Context())
	ok(t, err)
	if err := backup.Interrupted(database); err != nil || value(t, database) != "then" {
		t.Errorf("%v, %q", err, value(t, database))
	}
}
