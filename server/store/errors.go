package store

import (
	"database/sql"
	"errors"
	"fmt"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/ncruces/go-sqlite3"

	"octopus/internal/octopus"
)

// errStopping answers calls after Close.
var errStopping = octopus.Errorf(octopus.CodeUnavailable, "The server is stopping. Try again in a moment.")

// PostgreSQL's error codes that we act on (https://www.postgresql.org/docs/current/errcodes-appendix.html).
const (
	pgUniqueViolation     = "23505"
	pgForeignKeyViolation = "23503"
	pgSerialization       = "40001"
	pgDeadlock            = "40P01"
	pgDiskFull            = "53100"
)

// fail adds a noun phrase to an error of the database, after translating what a person can act on.
func (s *Store) fail(what string, err error) error {
	if err == nil {
		return nil
	}
	err = s.translate(err)
	var known *octopus.Error
	if errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// translate turns the errors of the database that have a meaning for people into an [octopus.Error]. A unique
// violation stays as it is: the caller knows which thing exists already.
func (s *Store) translate(err error) error {
	var pg *pgconn.PgError
	var lost *pgconn.ConnectError
	switch {
	case err == nil:
		return nil
	case isNoSpace(err):
		return octopus.Errorf(octopus.CodeNoSpace,
			"The disk of the database is full, so nothing can be saved. Free some space; Octopus goes on by itself.")
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		return octopus.Errorf(octopus.CodeUnavailable, "The database is busy with another program. Try again in a moment.")
	case errors.As(err, &lost):
		return octopus.Errorf(octopus.CodeUnavailable, "The database server does not answer. Check that it runs and that its address is right.")
	case errors.As(err, &pg) && pg.Code[:2] == "57":
		return octopus.Errorf(octopus.CodeUnavailable, "The database server is stopping or starting. Try again in a moment.")
	case errors.Is(err, sql.ErrConnDone):
		return errStopping
	}
	return err
}

// isNoSpace reports a full disk. SQLite says FULL for a full disk and IOERR where a write or sync failed; only
// those with ENOSPC or EDQUOT below, or on the write path, are about space.
func isNoSpace(err error) bool {
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, sqlite3.FULL), errors.Is(err, sqlite3.IOERR_WRITE), errors.Is(err, sqlite3.IOERR_FSYNC),
		errors.Is(err, sqlite3.IOERR_TRUNCATE), errors.Is(err, sqlite3.IOERR_SHMSIZE):
		return true
	case errors.Is(err, syscall.ENOSPC), octopus.CodeOf(err) == octopus.CodeNoSpace:
		return true
	}
	return errors.As(err, &pg) && pg.Code == pgDiskFull
}

// isUnique reports a violated unique constraint or primary key.
func isUnique(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == pgUniqueViolation
	}
	return errors.Is(err, sqlite3.CONSTRAINT_UNIQUE) || errors.Is(err, sqlite3.CONSTRAINT_PRIMARYKEY)
}

// isForeign reports a reference to something that does not exist.
func isForeign(err error) bool {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code == pgForeignKeyViolation
	}
	return errors.Is(err, sqlite3.CONSTRAINT_FOREIGNKEY)
}

// errAgain asks for another try of the whole transaction.
var errAgain = errors.New("another server was faster")

// isRetryable reports that the transaction lost against another server's, or never got its turn, and may simply be
// run again.
func isRetryable(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, errAgain) || errors.Is(err, sqlite3.BUSY) || errors.As(err, &pg) && (pg.Code == pgSerialization || pg.Code == pgDeadlock)
}

// notFound makes the sentence for a thing that does not exist, or passes other errors on.
func (s *Store) notFound(err error, kind, name string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return octopus.Errorf(octopus.CodeNotFound, "There is no %s %q.", kind, name)
	}
	return s.fail(kind, err)
}
