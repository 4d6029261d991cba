package server

import (
	"strings"

	"github.com/gofrs/flock"

	"octopus/internal/octopus"
)

// lockDatabase keeps a second server off a SQLite file: two would each trust what they remember of it. PostgreSQL is
// where several servers share one database, and needs no lock.
func lockDatabase(database string) (*flock.Flock, error) {
	if strings.Contains(database, "://") {
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
