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

	"octopus/internal/octopus"
)

// backupStep is how many pages are copied at a time: 4 MB, between which progress is told and ctx is looked at.
const backupStep = 1000

// Copied is what a copy of the database holds.
type Copied struct {
	At            time.Time // of the state that was copied
	SchemaVersion int64
	Generation    int64
	Pages         int
}

// CopyTo copies a SQLite database as it is at one moment into a new file, while everything goes on. The file is
// complete when it returns, but not yet synced. progress, where given, is told the pages done of all. The write-ahead
// log grows meanwhile. It refuses a file that exists, and PostgreSQL, which has its own tools.
func (s *Store) CopyTo(ctx context.Context, path string, progress func(done, of int)) (Copied, error) {
	if s.dialect != sqlite {
		return Copied{}, octopus.Errorf(octopus.CodeInvalid,
			"Octopus does not back up PostgreSQL itself. Use pg_dump or a base backup, and \"octopus restore --in-place\" after you restored one.")
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // SQLite would make it readable for others
	if errors.Is(err, os.ErrExist) {
		return Copied{}, octopus.Errorf(octopus.CodeConflict, "%s exists already. Choose another file, or move it away.", path)
	}
	if err != nil {
		return Copied{}, s.fail("backup", err)
	}
	if err := file.Close(); err != nil {
		return Copied{}, s.fail("backup", err)
	}
	c, err := s.copyTo(ctx, path, progress)
	if err != nil {
		os.Remove(path)
		return c, s.fail("backup", err)
	}
	return c, nil
}

func (s *Store) copyTo(ctx context.Context, path string, progress func(done, of int)) (c Copied, err error) {
	db, err := sql.Open("sqlite3", s.sqliteDSN(s.name, -2000, true))
	if err != nil {
		return c, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return c, err
	}
	defer conn.Close()
	// The transaction keeps the state that is copied; the checkpointer could not get past it.
	s.writer.checkpoint.pause(1)
	defer s.writer.checkpoint.pause(-1)
	if _, err := conn.ExecContext(ctx, "BEGIN"); err != nil {
		return c, err
	}
	defer func() { _, _ = conn.ExecContext(context.WithoutCancel(ctx), "ROLLBACK") }() // closing it does so too
	if err := conn.QueryRowContext(ctx, schemaVersionSQL).Scan(&c.SchemaVersion); err != nil {
		return c, err
	}
	c.At, c.Generation = s.Now(), s.restore.Generation
	err = conn.Raw(func(raw any) error {
		c.Pages, err = copyPages(ctx, raw.(driver.Conn).Raw(), path, progress)
		return err
	})
	return c, err
}

func copyPages(ctx context.Context, source *sqlite3.Conn, path string, progress func(done, of int)) (pages int, err error) {
	b, err := source.BackupInit("main", fileURI(path, nil))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	for done := false; !done; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		if done, err = b.Step(backupStep); err != nil {
			return 0, err
		}
		pages = b.PageCount()
		if progress != nil {
			progress(pages-b.Remaining(), pages)
		}
	}
	return pages, nil
}

// fileURI names a file of SQLite. Its name has to be absolute: in a URI octopus-data/x would be a folder of the root.
func fileURI(path string, query url.Values) string {
	if absolute, err := filepath.Abs(path); err == nil { // it fails only where the working folder is gone, and then SQLite says so
		path = absolute
	}
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/x is file:///C:/x
	}
	name := url.URL{Scheme: "file", Path: slashed, RawQuery: query.Encode()}
	return name.String()
}

// Care is how closely a file is looked at.
type Care string

// From reading a few rows, over reading every page, to comparing every index with its table.
const (
	Glance   Care = ""
	Quick    Care = "quick_check"
	Thorough Care = "integrity_check"
)

// Inspect reads a SQLite file that no server works on, without changing anything beside it: its schema and its
// generation. Beyond a glance it reports damage anywhere in it.
func Inspect(ctx context.Context, path string, care Care) (c Copied, err error) {
	s := &Store{dialect: sqlite, name: path}
	if _, err := os.Stat(path); err != nil {
		return c, octopus.Errorf(octopus.CodeNotFound, "There is no file %s.", path)
	}
	db, err := sql.Open("sqlite3", fileURI(path, url.Values{"mode": {"ro"}, "immutable": {"1"}}))
	if err != nil {
		return c, s.openError(err)
	}
	defer db.Close()
	s.reads = newPool(db, sqlite, &s.statements)
	if err := s.reads.row(ctx, schemaVersionSQL).Scan(&c.SchemaVersion); err != nil {
		return c, s.inspectError(err)
	}
	if err := s.loadRestore(ctx); err != nil {
		return c, s.inspectError(err)
	}
	c.Generation = s.restore.Generation
	if err := s.reads.row(ctx, "PRAGMA page_count").Scan(&c.Pages); err != nil {
		return c, s.inspectError(err)
	}
	if care == Glance {
		return c, nil
	}
	if err := s.examine(ctx, db, care); err != nil {
		return c, s.inspectError(err)
	}
	return c, nil
}

// inspectError says that a file is none of ours, or is damaged.
func (s *Store) inspectError(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, sqlite3.ERROR) { // no such table
		return octopus.Errorf(octopus.CodeInvalid, "%s is a SQLite file, but not an Octopus database.", s.name)
	}
	return s.openError(err)
}

// examine lets SQLite look for damage.
func (s *Store) examine(ctx context.Context, db *sql.DB, care Care) error {
	rows, err := db.QueryContext(ctx, "PRAGMA "+string(care)+"(3)")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var problem string
		if err := rows.Scan(&problem); err != nil {
			return err
		}
		if problem != "ok" {
			if s.log != nil {
				s.log.Error("the database is damaged", "database", s.name, "details", problem)
			}
			return octopus.Errorf(octopus.CodeInvalid,
				"%s is damaged. Restore a backup with \"octopus restore\"; docs/operations.md says how, and what to try without one.", s.name)
		}
	}
	return rows.Err()
}
