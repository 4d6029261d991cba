package backup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"octopus/internal/disk"
	"octopus/internal/octopus"
	"octopus/server/store"
)

// Restore says what to put where.
type Restore struct {
	// Backup is the file to put back; its manifest lies beside it.
	Backup string
	// Database is the SQLite file of a server that is stopped. Whoever calls holds its lock.
	Database string
	// Requeue lets what waited when the backup was made wait again, because nothing ran since. Otherwise it ends
	// as lost, except what may be repeated: nobody knows whether it ran. Defaults to false.
	Requeue bool
	// NoManifest takes a SQLite file without a manifest, after a check of all of it. Defaults to false.
	NoManifest bool
	// Told learns of the progress. Defaults to nobody.
	Told Progress
	// Log receives what an operator should know. Defaults to silence.
	Log *slog.Logger
}

// Restored is what a restore did.
type Restored struct {
	Database   string    `json:"database"`
	BackupAt   time.Time `json:"backup_at"`
	Generation int64     `json:"generation"`
	Aside      string    `json:"aside,omitempty"` // where the database that was there is now
}

const (
	staged = ".staged" // being copied: the database is as it was
	// ready ends the name of a checked copy that is about to take the database's place. While there is one, the
	// database may already have been moved away, and no server may start.
	ready = ".restoring"
)

// Interrupted returns a sentence when a restore of this database was interrupted half-way, so that starting a server
// would begin with an empty database.
func Interrupted(database string) error {
	if _, err := os.Lstat(database + ready); err != nil {
		return nil
	}
	return octopus.Errorf(octopus.CodeConflict,
		"A restore of %s was interrupted. Run the same \"octopus restore\" again; it begins anew and finishes it.", database)
}

// Run verifies the backup, then puts it in the database's place and keeps what was there aside. A crash at any point
// leaves the old database, the new one, or a restore that must be run again.
func (r Restore) Run(ctx context.Context) (done Restored, err error) {
	m, err := r.manifest()
	if err != nil {
		return done, err
	}
	copyAt := r.Database + staged
	if err := discard(copyAt); err != nil {
		return done, fmt.Errorf("old copy: %w", err)
	}
	defer func() { _ = discard(copyAt) }() // after a failure; the next restore discards what stays
	if err := r.stage(ctx, copyAt, &m); err != nil {
		return done, err
	}
	mark, err := r.mark(ctx, copyAt, m)
	if err != nil {
		return done, err
	}
	done = Restored{Database: r.Database, BackupAt: mark.BackupAt, Generation: mark.Generation}
	if done.Aside, err = r.swap(ctx, copyAt, mark.RestoredAt); err != nil {
		return done, err
	}
	tell(r.Told, 0, 1, 1, 1)
	return done, nil
}

func (r Restore) manifest() (Manifest, error) {
	if !r.NoManifest {
		return ReadManifest(r.Backup)
	}
	info, err := os.Stat(r.Backup)
	if err != nil {
		return Manifest{}, octopus.Errorf(octopus.CodeNotFound, "There is no file %s.", r.Backup)
	}
	return Manifest{CreatedAt: info.ModTime()}, nil
}

// stage copies the backup beside the database and checks it: against its manifest, and every page of it.
func (r Restore) stage(ctx context.Context, to string, m *Manifest) error {
	from, err := os.Open(r.Backup)
	if err != nil {
		return octopus.Errorf(octopus.CodeDenied, "The backup %s cannot be read: %v.", r.Backup, errors.Unwrap(err))
	}
	defer from.Close()
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return octopus.Errorf(octopus.CodeDenied, "The folder of %s cannot be written: %v.", r.Database, errors.Unwrap(err))
	}
	n, sum, err := copySum(ctx, file, from, func(n int64) { tell(r.Told, 0, 0.4, n, m.Bytes) })
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("copy of the backup: %w", err)
	}
	if !r.NoManifest {
		if err := m.matches(r.Backup, n, sum); err != nil {
			return err
		}
	}
	held, err := store.Inspect(ctx, to, store.Thorough)
	if err != nil {
		return octopus.Errorf(octopus.CodeInvalid, "The backup %s cannot be used, and nothing was changed: it is not a whole Octopus database.", r.Backup)
	}
	m.Generation = held.Generation
	return nil
}

// mark brings the copy's schema up to date and raises its generation above that of the database it replaces.
func (r Restore) mark(ctx context.Context, copyAt string, m Manifest) (mark store.Restore, err error) {
	after := m.Generation
	if old, err := store.Inspect(ctx, r.Database, store.Glance); err == nil { // what is broken has no say: generations are times
		after = max(after, old.Generation)
	}
	s, err := store.Open(ctx, store.Options{URL: copyAt, Log: r.Log})
	if err != nil {
		return mark, err
	}
	mark, err = s.MarkRestored(ctx, m.CreatedAt, after, r.Requeue)
	if err = errors.Join(err, s.Close()); err != nil {
		return mark, err
	}
	if info, err := os.Stat(copyAt + "-wal"); err == nil && info.Size() > 0 {
		return mark, fmt.Errorf("the copy's log was not taken up: %d bytes", info.Size())
	}
	return mark, removeAll(copyAt+"-wal", copyAt+"-shm")
}

// swap gives the old database, with its log, a second name, and then the copy its first one. While the copy is ready
// and not in place no server starts: the database may already be without its log.
func (r Restore) swap(ctx context.Context, copyAt string, at time.Time) (aside string, err error) {
	if _, err := os.Lstat(r.Database); err == nil {
		aside = r.Database + ".before-restore-" + at.UTC().Format("20060102T150405.000Z")
		for _, suffix := range []string{"", "-wal"} {
			if err := alias(ctx, r.Database+suffix, aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
				return "", fmt.Errorf("old database: %w", err)
			}
		}
	}
	if err := place(copyAt, r.Database+ready); err != nil {
		return "", err
	}
	if err := removeAll(r.Database+"-wal", r.Database+"-shm"); err != nil {
		return "", fmt.Errorf("old database: %w", err)
	}
	if err := disk.SyncDir(filepath.Dir(r.Database)); err != nil { // before the copy is there: a log would be taken for its own
		return "", fmt.Errorf("folder: %w", err)
	}
	return aside, place(r.Database+ready, r.Database)
}

// alias gives a file a second name, or copies it where the file system knows no links.
func alias(ctx context.Context, from, to string) error {
	if err := os.Link(from, to); err == nil || errors.Is(err, os.ErrNotExist) {
		return err
	}
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	file, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, _, err = copySum(ctx, file, source, nil)
	return errors.Join(err, file.Sync(), file.Close())
}

// discard removes a database that nobody needs.
func discard(path string) error { return removeAll(path, path+"-wal", path+"-shm") }

func removeAll(paths ...string) error {
	for _, p := range paths {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// InPlace marks a database that was put back by other means: pg_restore, a snapshot of a disk. at is when what it
// holds was current. It refuses while a server has a lease.
func InPlace(ctx context.Context, s *store.Store, at time.Time, requeue bool) (store.Restore, error) {
	servers, err := s.Servers(ctx)
	if err != nil {
		return store.Restore{}, err
	}
	for _, other := range servers {
		if other.Alive(s.Now()) {
			return store.Restore{}, octopus.Errorf(octopus.CodeConflict,
				"The server %s works on this database. Stop all servers first, and wait 15 s if they were killed.", other.URL)
		}
	}
	return s.MarkRestored(ctx, at, 0, requeue)
}
