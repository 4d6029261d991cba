package store

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"octopus/internal/disk"
	"octopus/internal/octopus"
	"octopus/internal/seeded"
)

// readers is how many connections read SQLite at a time. Each costs about 2 MB.
const readers = 4

// openSQLite opens the file, creating it and its folder where they do not exist, and returns the readers.
func (s *Store) openSQLite(ctx context.Context, path string) (*sql.DB, error) {
	s.dialect = sqlite
	path = strings.TrimPrefix(path, "file:")
	if path == "" {
		path = "octopus.db"
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "The database path %q cannot be made absolute. Give a full path.", path)
	}
	s.name = path
	if err := makeFolder(filepath.Dir(path)); err != nil {
		return nil, octopus.Errorf(octopus.CodeDenied, "The folder of the database %s cannot be made. Choose another one with --data.", path)
	}
	if s.writes, err = driver.Open(s.sqliteDSN(path, -8000, false), keepLog); err != nil {
		return nil, s.openError(err)
	}
	s.writes.SetMaxOpenConns(1)
	give := time.Now().Add(lockedFor)
	for err = s.prepare(ctx); isBusy(err) && time.Now().Before(give) && pause(ctx, migratePause); {
		err = s.prepare(ctx)
	}
	if err == nil {
		err = s.migrate(ctx, s.writes)
	}
	if err == nil { // the driver does not do it, and a WAL whose name is lost in a power cut is lost itself
		err = s.files.syncDir(filepath.Dir(path))
	}
	if err != nil {
		s.writes.Close()
		return nil, s.openError(err)
	}
	reads, err := driver.Open(s.sqliteDSN(path, -2000, true), func(conn *sqlite3.Conn) error {
		return errors.Join(planOnce(conn), keepLog(conn))
	})
	if err != nil {
		s.writes.Close()
		return nil, s.openError(err)
	}
	reads.SetMaxOpenConns(readers)
	reads.SetMaxIdleConns(readers)
	reads.SetConnMaxIdleTime(time.Minute)
	return reads, nil
}

// lockedFor is how long an open waits for others that open the same file: some of what SQLite does then does not wait by
// itself.
const lockedFor = 10 * time.Second

// prepare is the first that is done with a file.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.writes.PingContext(ctx); err != nil {
		return err
	}
	return s.takeUp(ctx)
}

// files is where SQLite keeps its files. Tests set others, whose power can be cut.
type files struct {
	vfs         string // "": the operating system's
	synchronous string
	syncDir     func(path string) error
	isFull      func(database string) bool // after a write failed
}

// orDefault fills in what is not set.
func (f files) orDefault() files {
	if f.synchronous == "" {
		f.synchronous = "full"
	}
	if seeded.Is(seeded.SyncOff) {
		f.synchronous = "off"
	}
	if f.syncDir == nil {
		f.syncDir = disk.SyncDir
	}
	if f.isFull == nil {
		f.isFull = isFull
	}
	return f
}

// makeFolder makes a folder and those above it, durably.
func makeFolder(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(path)
	if above == path {
		return os.ErrNotExist
	}
	if err := makeFolder(above); err != nil {
		return err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return disk.SyncDir(above)
}

// sqliteDSN names the file with what every connection sets. This driver uses NORMAL in WAL mode unless told;
// we answer people after a commit, so it must be FULL. cache is SQLite's cache_size: negative KiB.
func (s *Store) sqliteDSN(path string, cache int, readOnly bool) string {
	pragmas := url.Values{"_pragma": {
		"busy_timeout(5000)",
		"journal_mode(wal)",
		"synchronous(" + s.files.synchronous + ")",
		"foreign_keys(on)",
		"temp_store(memory)",
		"cache_size(" + itoa(cache) + ")",
		"wal_autocheckpoint(0)", // the checkpointer does it
		"journal_size_limit(67108864)",
	}}
	if readOnly {
		pragmas.Add("_pragma", "query_only(on)")
	}
	if s.files.vfs != "" {
		pragmas.Set("vfs", s.files.vfs)
	}
	return fileURI(path, pragmas)
}

// keepLog leaves the log alone when a connection closes: after a failed sync nobody may touch the files any more.
// The store copies it itself when it closes in order.
func keepLog(conn *sqlite3.Conn) error {
	_, err := conn.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	return err
}

// checkAtStart is up to which size, in pages of 4 KiB, a database is read through at the start after it was not closed
// in order. Larger ones are checked by each backup.
const checkAtStart = 16 << 10

// takeUp copies what an earlier process left in the log into the database file. That process may have ended because
// a sync failed: what the system holds in memory of the log need not be on the disk, and only writing it again makes
// it so. Nothing may be appended before.
func (s *Store) takeUp(ctx context.Context) error {
	var busy, left, copied int
	if err := s.writes.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &left, &copied); err != nil {
		return err
	}
	if left <= 0 {
		return nil
	}
	s.log.Info("the database was not closed in order; its log is taken up", "database", s.name, "pages", left)
	var pages int
	if err := s.writes.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil || pages > checkAtStart {
		return err
	}
	return s.examine(ctx, s.writes, Quick)
}

// settleLog copies the log into the file when the store closes in order.
func (w *writer) settleLog() {
	if w.conn == nil || w.store.dialect != sqlite || w.store.Err() != nil {
		return
	}
	_ = w.execute("PRAGMA busy_timeout(200)") // for a reader that is late: then the next start takes the log up
	w.store.judge(w.execute("PRAGMA wal_checkpoint(TRUNCATE)"))
}

// openError turns what SQLite says while opening into a sentence that names the file and the way out.
func (s *Store) openError(err error) error {
	var known *octopus.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, sqlite3.NOTADB), errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.IOERR_SHORT_READ):
		return octopus.Errorf(octopus.CodeInvalid,
			"%s is not an Octopus database, or it is damaged. Restore a backup with \"octopus restore\", or move the file away to start with a new one; docs/operations.md has both.", s.name)
	case errors.Is(err, sqlite3.CANTOPEN), errors.Is(err, sqlite3.PERM), errors.Is(err, sqlite3.READONLY), errors.Is(err, os.ErrPermission):
		return octopus.Errorf(octopus.CodeDenied,
			"The database %s cannot be read and written by this user. Give the user that runs Octopus access to the file and its folder.", s.name)
	case isBusy(err):
		return octopus.Errorf(octopus.CodeUnavailable,
			"The database %s is locked by another program. Stop that program, or start again when it has ended.", s.name)
	}
	return s.fail("opening "+s.name, err)
}
