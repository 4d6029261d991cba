package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"

	"octopus/internal/octopus"
)

//go:embed migrations
var migrations embed.FS

const schemaVersionSQL = "SELECT coalesce(max(version_id), 0) FROM goose_db_version"

// migrate brings the schema up to date. On a database that is up to date it costs one query.
func (s *Store) migrate(ctx context.Context, db *sql.DB) error {
	newest, err := newestMigration(s.dialect)
	if err != nil {
		return err
	}
	var version int64
	// A database without the table is a new one, or not ours; goose tells.
	if err := db.QueryRowContext(ctx, schemaVersionSQL).Scan(&version); err == nil {
		switch {
		case version == newest:
			return nil
		case version > newest:
			return octopus.Errorf(octopus.CodeUnavailable,
				"The database %s was written by a newer Octopus (schema %d, this one knows %d). Install that version or a later one, or restore a backup.",
				s.name, version, newest)
		}
	}
	files, err := fs.Sub(migrations, s.dialect.migrations)
	if err != nil {
		return fmt.Errorf("embedded migrations: %w", err)
	}
	provider, err := goose.NewProvider(s.dialect.goose, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	give := time.Now().Add(migrateWithin)
	for seen := version; ; seen = version {
		if _, err = provider.Up(ctx); err == nil {
			return nil
		}
		busy := isBusy(err)
		if version, err = s.migrationError(ctx, db, newest, err); err == nil {
			return nil
		}
		if version > seen {
			give = time.Now().Add(migrateWithin)
		}
		var known *octopus.Error
		if errors.As(err, &known) && !busy || time.Now().After(give) || !pause(ctx, migratePause) {
			return err
		}
	}
}

// Several servers may be started on a new database at once: one migrates, and the others wait for it, for as long as
// it gets on.
const (
	migrateWithin = 15 * time.Second // since the last step of whoever migrates
	migratePause  = 100 * time.Millisecond
)

// pause waits; false: ctx ended.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// migrationError explains why a migration failed, and says how far the schema is. Another server may have run the same
// one at the same time: then it is up to date after all.
func (s *Store) migrationError(ctx context.Context, db *sql.DB, newest int64, err error) (version int64, _ error) {
	if db.QueryRowContext(ctx, schemaVersionSQL).Scan(&version) == nil && version == newest {
		return version, nil
	}
	var known *octopus.Error
	if translated := s.translate(err); errors.As(translated, &known) {
		return version, known
	}
	return version, fmt.Errorf("migration of %s: %w", s.name, err)
}

// newestMigration reads the highest number among the embedded files.
func newestMigration(d *dialect) (int64, error) {
	files, err := migrations.ReadDir(d.migrations)
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("embedded migrations: %w", err)
	}
	number, _, _ := strings.Cut(files[len(files)-1].Name(), "_")
	return strconv.ParseInt(number, 10, 64)
}
