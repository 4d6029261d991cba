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
	_ "github.com/ncruces/go-sqlite3/driver" // registers "sqlite3"

	"octopus/internal/octopus"
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
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, octopus.Errorf(octopus.CodeDenied, "The folder of the database %s cannot be made. Choose another one with --data.", path)
	}
	if s.writes, err = sql.Open("sqlite3", sqliteDSN(path, -8000, false)); err != nil {
		return nil, s.openError(err)
	}
	s.writes.SetMaxOpenConns(1)
	if err = s.writes.PingContext(ctx); err == nil {
		err = s.migrate(ctx, s.writes)
	}
	if err != nil {
		s.writes.Close()
		return nil, s.openError(err)
	}
	reads, err := sql.Open("sqlite3", sqliteDSN(path, -2000, true))
	if err != nil {
		s.writes.Close()
		return nil, s.openError(err)
	}
	reads.SetMaxOpenConns(readers)
	reads.SetMaxIdleConns(readers)
	reads.SetConnMaxIdleTime(time.Minute)
	return reads, nil
}

// sqliteDSN names the file with what every connection sets. This driver uses NORMAL in WAL mode unless told;
// we answer people after a commit, so it must be FULL. cache is SQLite's cache_size: negative KiB.
func sqliteDSN(path string, cache int, readOnly bool) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/x is file:///C:/x
	}
	pragmas := url.Values{"_pragma": {
		"busy_timeout(5000)",
		"journal_mode(wal)",
		"synchronous(full)",
		"foreign_keys(on)",
		"temp_store(memory)",
		"cache_size(" + itoa(cache) + ")",
		"wal_autocheckpoint(0)", // the checkpointer does it
		"journal_size_limit(67108864)",
	}}
	if readOnly {
		pragmas.Add("_pragma", "query_only(on)")
	}
	name := url.URL{Scheme: "file", Path: slashed, RawQuery: pragmas.Encode()}
	return name.String()
}

// openError turns what SQLite says while opening into a sentence that names the file and the way out.
func (s *Store) openError(err error) error {
	var known *octopus.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, sqlite3.NOTADB), errors.Is(err, sqlite3.CORRUPT):
		return octopus.Errorf(octopus.CodeInvalid,
			"%s is not an Octopus database, or it is damaged. Move it away to start with a new one, or restore a backup.", s.name)
	case errors.Is(err, sqlite3.CANTOPEN), errors.Is(err, sqlite3.PERM), errors.Is(err, sqlite3.READONLY), errors.Is(err, os.ErrPermission):
		return octopus.Errorf(octopus.CodeDenied,
			"The database %s cannot be read and written by this user. Give the user that runs Octopus access to the file and its folder.", s.name)
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		return octopus.Errorf(octopus.CodeUnavailable,
			"The database %s is locked by another program. Stop that program, or start again when it has ended.", s.name)
	}
	return s.fail("opening "+s.name, err)
}
