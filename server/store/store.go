package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"octopus/server/bus"
)

// ErrNoChange is returned by a step that has nothing to change. Step then returns the execution and no error.
var ErrNoChange = errors.New("nothing to change")

// Store is the database. It is safe for concurrent use.
type Store struct {
	dialect  *dialect     // static
	log      *slog.Logger // static
	bus      bus.Bus      // static; nil: no hints
	now      func() time.Time
	serverID string // static
	relayID  string // static, random: tells our own hints from those of others
	name     string // static: what to call the database in a sentence
	files    files  // static

	writes  *sql.DB // one connection, the writer's
	reads   *pool
	writer  *writer
	touched *touched
	restore Restore // static once a server works on it
	trouble trouble

	statements atomic.Int64 // executed so far
	skew       atomic.Int64 // nanoseconds that the database's clock is ahead of ours
	noSpace    atomic.Bool  // the latest write failed because the disk is full
	lastEvent  atomic.Int64 // the newest event id, so that ids only grow

	pluginChanges atomic.Int64 // see PluginChanges
}

// Open opens the database, brings its schema up to date and starts the writer. Close ends it. Errors are
// [octopus.Error] with what to do next where a person can do something.
func Open(ctx context.Context, o Options) (*Store, error) {
	s := &Store{log: o.Log, bus: o.Bus, now: o.Now, serverID: o.ServerID, relayID: rand.Text(), files: o.files.orDefault(), trouble: trouble{failed: make(chan struct{})}}
	if s.log == nil {
		s.log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.serverID == "" {
		s.serverID = "local"
	}
	open := s.openSQLite
	if strings.HasPrefix(o.URL, "postgres://") || strings.HasPrefix(o.URL, "postgresql://") {
		open = s.openPostgres
	}
	reads, err := open(ctx, o.URL)
	if err != nil {
		return nil, err
	}
	s.reads = newPool(reads, s.dialect, &s.statements)
	if s.writer, err = startWriter(ctx, s); err != nil {
		return nil, errors.Join(err, s.closeConnections())
	}
	s.touched = startTouched(s)
	if err := s.loadRestore(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.dialect.clockSQL != "" { // so that Now is the database's from the start
		if err := s.write(ctx, func(*tx) error { return nil }); err != nil {
			s.Close()
			return nil, err
		}
	}
	return s, nil
}

// Close writes what is queued, ends the writer and closes the database. Later calls fail with
// octopus.CodeUnavailable. It is idempotent.
func (s *Store) Close() error {
	s.touched.stop()
	s.writer.stop()
	return s.closeConnections()
}

func (s *Store) closeConnections() error {
	if s.reads != nil {
		s.reads.close()
	}
	return s.writes.Close()
}

// Dialect returns "sqlite" or "postgres".
func (s *Store) Dialect() string { return s.dialect.name }

// Statements counts the statements executed so far. A test uses it to show that heartbeats cause none.
func (s *Store) Statements() int64 { return s.statements.Load() }

// Now is the store's clock: on PostgreSQL the database's, as of its last transaction.
func (s *Store) Now() time.Time {
	return s.now().Add(time.Duration(s.skew.Load())).UTC().Truncate(time.Microsecond)
}

// Health asks the database how it is doing.
func (s *Store) Health(ctx context.Context) (Health, error) {
	h := Health{Dialect: s.dialect.name, Queue: len(s.writer.queue), NoSpace: s.noSpace.Load(), Damaged: s.Damaged() != nil}
	if err := s.reads.row(ctx, s.dialect.versionSQL).Scan(&h.Version); err != nil {
		return h, s.fail("database version", err)
	}
	if err := s.reads.row(ctx, s.dialect.sizeSQL).Scan(&h.SizeBytes); err != nil {
		return h, s.fail("database size", err)
	}
	err := s.reads.row(ctx, schemaVersionSQL).Scan(&h.SchemaVersion)
	return h, s.fail("schema version", err)
}
