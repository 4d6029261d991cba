package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/version"
	"octopus/server/backup"
	"octopus/server/store"
)

// database is the SQLite file or the PostgreSQL URL.
func (c Config) database() string {
	if c.Database != "" {
		return c.Database
	}
	return filepath.Join(c.Data, "octopus.db")
}

func (s *Server) newKeeper() *backup.Keeper {
	folder := s.cfg.BackupFolder
	if folder == "" {
		folder = filepath.Join(s.cfg.Data, "backups")
	}
	return backup.NewKeeper(backup.Config{
		Store: s.store, Folder: folder, Every: s.cfg.BackupEvery, Keep: s.cfg.BackupKeep, Version: version.Version, Log: s.cfg.Log,
	})
}

// stopped locks the database of a server that is stopped. It must exist where needed is set.
func (c Config) stopped(needed bool) (database string, unlock func() error, err error) {
	c = c.withDefaults()
	database = c.database()
	if _, err := os.Stat(database); needed && err != nil && !isURL(database) {
		return "", nil, octopus.Errorf(octopus.CodeNotFound, "There is no database %s. Name the server's folder with --data.", database)
	}
	unlock, err = Hold(database)
	if octopus.CodeOf(err) == octopus.CodeConflict {
		return "", nil, octopus.Errorf(octopus.CodeConflict,
			"A server works on %s. Stop it first; a backup can also be made of a server that runs: leave out --data and --database.", database)
	}
	return database, unlock, err
}

// Backup makes a backup of a server that is stopped.
func Backup(ctx context.Context, cfg Config, path string, told backup.Progress) (m backup.Manifest, err error) {
	database, unlock, err := cfg.stopped(true)
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := backup.Interrupted(database); err != nil {
		return m, err
	}
	s, err := store.Open(ctx, store.Options{URL: database, Log: cfg.Log})
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return backup.Write(ctx, s, path, version.Version, told)
}

// Restore puts a backup back into the folder of a server that is stopped. r.Database is filled in.
func Restore(ctx context.Context, cfg Config, r backup.Restore) (done backup.Restored, err error) {
	database, unlock, err := cfg.stopped(false)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if strings.Contains(database, "://") {
		return done, octopus.Errorf(octopus.CodeInvalid,
			"Octopus does not restore PostgreSQL itself. Use pg_restore or your base backup, then \"octopus restore --in-place --made-at TIME\".")
	}
	r.Database, r.Log = database, cfg.Log
	return r.Run(ctx)
}

// RestoreInPlace marks the database of servers that are stopped as put back by other means, from what was current at
// the time at.
func RestoreInPlace(ctx context.Context, cfg Config, at time.Time, requeue bool) (done backup.Restored, err error) {
	database, unlock, err := cfg.stopped(true)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	s, err := store.Open(ctx, store.Options{URL: database, Log: cfg.Log})
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	mark, err := backup.InPlace(ctx, s, at, requeue)
	return backup.Restored{Database: s.Name(), BackupAt: mark.BackupAt, Generation: mark.Generation}, err
}
