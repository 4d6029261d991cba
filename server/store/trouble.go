package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"

	"octopus/internal/octopus"
)

// trouble is what the disk did to the database. It is safe for concurrent use.
type trouble struct {
	failed chan struct{} // closed when nothing is acknowledged any more

	mu      sync.Mutex
	cause   error // guarded by mu; why nothing is acknowledged any more
	damaged error // guarded by mu; something of it could not be read
}

// broken ends the acknowledgement of writes for good.
func (t *trouble) broken(cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cause == nil {
		t.cause = cause
		close(t.failed)
	}
}

func (t *trouble) why() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cause
}

// Failed is closed when the database can acknowledge nothing any more; Err says why. Whoever runs the store should
// end the process: only a new one, which reads the files again, knows what is on the disk.
func (s *Store) Failed() <-chan struct{} { return s.trouble.failed }

// Err is why the database can acknowledge nothing any more, nil while it can.
func (s *Store) Err() error { return s.trouble.why() }

// Damaged is the sentence about a part of the database that could not be read, nil while there is none.
func (s *Store) Damaged() error {
	s.trouble.mu.Lock()
	defer s.trouble.mu.Unlock()
	return s.trouble.damaged
}

// judge looks at what a write or a checkpoint came to. A failed sync is never tried again: the system may have
// dropped what it could not write, and would report success. Writing into a damaged file would spread the damage.
func (s *Store) judge(err error) {
	switch {
	case err == nil:
	case isSyncFailure(err):
		s.log.Error("the disk did not keep what was written", "database", s.name, "error", err)
		s.trouble.broken(octopus.Errorf(octopus.CodeUnavailable,
			"The disk of the database %s failed while it was being written, so nothing more is acknowledged. Check the disk, then start the server again; what was acknowledged before is kept.",
			s.name))
	case isDamage(err):
		s.trouble.broken(s.damaged(causeOf(err)))
	}
}

// damaged is the sentence about a damaged database. The first one is remembered and logged.
func (s *Store) damaged(details string) error {
	err := octopus.Errorf(octopus.CodeUnavailable,
		"The database %s is damaged. Stop the server and restore a backup with \"octopus restore\"; docs/operations.md says how, and what to try without one.", s.name)
	s.trouble.mu.Lock()
	defer s.trouble.mu.Unlock()
	if s.trouble.damaged == nil && s.log != nil {
		s.log.Error("the database is damaged", "database", s.name, "details", details)
	}
	s.trouble.damaged = err
	return err
}

// diskError is a failure of the disk, as the sentence that people get.
type diskError struct {
	error
	damage bool // the file is damaged
}

func (e diskError) Unwrap() error { return e.error }

func isDiskError(err error) bool {
	var disk diskError
	return errors.As(err, &disk)
}

// causeOf is the operating system's word for a failure, or SQLite's.
func causeOf(err error) string {
	var sys syscall.Errno
	if errors.As(err, &sys) {
		return sys.Error()
	}
	return err.Error()
}

// isSyncFailure reports that a sync of the file, the log or its folder failed.
func isSyncFailure(err error) bool {
	return errors.Is(err, sqlite3.IOERR_FSYNC) || errors.Is(err, sqlite3.IOERR_DIR_FSYNC)
}

// isDamage reports that a file is not what SQLite wrote.
func isDamage(err error) bool {
	var disk diskError
	return errors.Is(err, sqlite3.CORRUPT) || errors.Is(err, sqlite3.NOTADB) || errors.As(err, &disk) && disk.damage
}

// isWriteFailure reports that bytes could not be written; mostly, but not always, for want of space.
func isWriteFailure(err error) bool {
	return errors.Is(err, sqlite3.IOERR_WRITE) || errors.Is(err, sqlite3.IOERR_TRUNCATE) ||
		errors.Is(err, sqlite3.IOERR_SHMSIZE) || errors.Is(err, sqlite3.IOERR_SHMMAP)
}

// isFull tells a full disk from a broken one, which SQLite's error does not: by the time that it is made, the system's
// own is forgotten. It tries to write beside the database.
func isFull(database string) bool {
	f, err := os.CreateTemp(filepath.Dir(database), ".octopus-space-")
	if err != nil {
		return isSpace(err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	_, err = f.Write(make([]byte, 256<<10))
	return isSpace(err)
}

// isSpace reports a full disk or a spent quota.
func isSpace(err error) bool { return errors.Is(err, syscall.ENOSPC) || isQuota(err) }

// NoSpace reports that the latest write failed because the disk is full.
func (s *Store) NoSpace() bool { return s.noSpace.Load() }

// Probe writes a few bytes, to find out whether there is space again.
func (s *Store) Probe(ctx context.Context) error {
	return s.SetMeta(ctx, "probe", s.Now().Format(time.RFC3339Nano))
}
