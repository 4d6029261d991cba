package server

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"octopus/internal/octopus"
)

// Hold keeps servers off a SQLite file, for who writes to it without one, until release is called. It refuses a file on which a
// server works, and makes the folder. PostgreSQL is not held.
func Hold(database string) (release func() error, err error) {
	if !isURL(database) {
		if err := os.MkdirAll(filepath.Dir(database), 0o700); err != nil {
			return nil, octopus.Errorf(octopus.CodeDenied, "The folder of the database %s cannot be made. Choose another one with --data.", database)
		}
	}
	lock, err := lockDatabase(database)
	if lock == nil {
		return func() error { return nil }, err
	}
	return lock.Close, err
}

// lockDatabase keeps a second server off a SQLite file: two would each trust what they remember of it. PostgreSQL is
// where several servers share one database, and needs no lock.
func lockDatabase(database string) (*flock.Flock, error) {
	if isURL(database) {
		return nil, nil
	}
	lock := flock.New(database + ".lock")
	held, err := lock.TryLock()
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeDenied,
			"The database %s cannot be locked: %v. Check that its folder exists and belongs to this user.", database, err)
	}
	if !held {
		return nil, octopus.Errorf(octopus.CodeConflict,
			"Another Octopus server works on %s. Stop it first, or choose another folder with --data; several servers need PostgreSQL.", database)
	}
	return lock, nil
}

// isURL tells PostgreSQL's name for a database from the path of a SQLite file.
func isURL(database string) bool { return strings.Contains(database, "://") }
