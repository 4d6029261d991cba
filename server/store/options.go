package store

import (
	"log/slog"
	"time"

	"octopus/server/bus"
)

// Options says which database to open and what to tell.
type Options struct {
	// URL is a path or "file:" name of a SQLite database, or "postgres://…". Defaults to "octopus.db".
	URL string
	// Log receives what an operator should know, such as a full disk. Defaults to silence.
	Log *slog.Logger
	// Bus receives hints after each commit. Defaults to none.
	Bus bus.Bus
	// Now is the clock on SQLite. On PostgreSQL the database's clock counts. Defaults to time.Now.
	Now func() time.Time
	// ServerID names this server's roll-up rows, so that two servers do not fight for one. Defaults to a random one.
	ServerID string

	files files // of tests
}

// Health is how the database is doing.
type Health struct {
	Dialect       string // "sqlite" or "postgres"
	Version       string // of the database
	SchemaVersion int64
	SizeBytes     int64
	Queue         int  // writes that wait for the writer
	NoSpace       bool // the latest write failed because the disk is full
	Damaged       bool // a part of it could not be read
}

// Server is one server process and its lease. A lease is valid for 15 s after its last renewal.
type Server struct {
	ID        string
	URL       string
	Version   string
	Agents    int
	StartedAt time.Time
	RenewedAt time.Time
}

// Alive reports whether the lease was valid at now.
func (s Server) Alive(now time.Time) bool { return now.Sub(s.RenewedAt) < serverLease }

// serverLease is how long a server's lease lives after a renewal.
const serverLease = 15 * time.Second
