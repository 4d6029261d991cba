package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

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
	var lost lostError
	if isDiskError(err) || errors.As(err, &lost) { // translated before
		return err
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
	case isDamage(err):
		return diskError{s.damaged(causeOf(err)), true}
	case isNoSpace(err), isWriteFailure(err) && s.files.isFull(s.name):
		return octopus.Errorf(octopus.CodeNoSpace,
			"The disk of the database is full, so nothing can be saved. Free some space; Octopus goes on by itself.")
	case errors.Is(err, sqlite3.IOERR):
		return diskError{octopus.Errorf(octopus.CodeUnavailable,
			"The disk of the database failed: it could not be read or written. Check the disk; what was acknowledged is kept."), false}
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.LOCKED):
		return octopus.Errorf(octopus.CodeUnavailable, "The database is busy with another program. Try again in a moment.")
	case errors.As(err, &pg) && (pg.Code == pgSerialization || pg.Code == pgDeadlock): // after several tries
		return octopus.Errorf(octopus.CodeUnavailable, "The database is busy with other servers. Try again in a moment.")
	case errors.As(err, &lost):
		return octopus.Errorf(octopus.CodeUnavailable, "The database server does not answer. Check that it runs and that its address is right.")
	case isLost(err):
		return lostError{octopus.Errorf(octopus.CodeUnavailable, "The connection to the database server broke. Try again in a moment.")}
	case errors.As(err, &pg) && pg.Code[:2] == "57":
		return octopus.Errorf(octopus.CodeUnavailable, "The database server is stopping or starting. Try again in a moment.")
	case errors.As(err, &pg) && isServerTrouble(pg.Code):
		s.log.Error("the database server failed", "database", s.name, "code", pg.Code, "error", pg.Message)
		return octopus.Errorf(octopus.CodeUnavailable, "The database server failed; its log and the server's say how. Try again when that is mended.")
	case errors.Is(err, sqlite3.INTERRUPT): // whoever asked has gone, or the server stops
		return context.Canceled
	case errors.Is(err, sql.ErrConnDone):
		return errStopping
	}
	return err
}

// isNoSpace reports a full disk. SQLite says FULL, or IOERR with the system's ENOSPC or EDQUOT below. A sync that
// failed is something else, whatever the system calls it: see judge.
func isNoSpace(err error) bool {
	var pg *pgconn.PgError
	switch {
	case isSyncFailure(err):
		return false
	case errors.Is(err, sqlite3.FULL), isSpace(err), octopus.CodeOf(err) == octopus.CodeNoSpace:
		return true
	}
	return errors.As(err, &pg) && pg.Code == pgDiskFull
}

// endsTransaction reports an error after which nothing of the batch can be kept.
func endsTransaction(err error) bool {
	return isRetryable(err) || isLost(err) || isNoSpace(err) || isDiskError(err) || isDamage(err) || errors.Is(err, sqlite3.IOERR)
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

// isBusy reports that SQLite waited for another process, or would have had to and did not: a transaction that began
// with reading does not wait for its turn to write.
func isBusy(err error) bool {
	return errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.LOCKED)
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
