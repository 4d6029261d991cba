package store

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"octopus/internal/octopus"
)

// lostError is a connection to PostgreSQL that broke, as the sentence that people get.
type lostError struct{ error }

func (e lostError) Unwrap() error { return e.error }

// isLost reports that the connection to the database server broke while it was used. What the server had not yet
// committed it rolls back, so that a transaction may run again, unless its COMMIT was under way: see errUnknown.
func isLost(err error) bool {
	var lost lostError
	var network *net.OpError
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		return false // there was none
	}
	return errors.As(err, &lost) || errors.As(err, &network) || pgconn.SafeToRetry(err) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// errUnknown answers callers whose COMMIT was sent and never answered: it may have happened. None of them is told that
// it failed, and it is not run again. Steps look at the state they find, results and logs are numbered, and a create
// has its Idempotency-Key: asking again does each once.
var errUnknown = octopus.Errorf(octopus.CodeUnavailable,
	"The connection to the database server broke while this was being saved, so it may be saved or not. Look before you repeat it, or repeat it with the same Idempotency-Key.")

// isServerTrouble reports a PostgreSQL error that is about its machine, and not about the statement: no resources,
// an error of its system, damaged data, a bug.
func isServerTrouble(code string) bool {
	switch code[:2] {
	case "53", "58", "F0", "XX":
		return true
	}
	return false
}
