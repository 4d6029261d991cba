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
	if _, err := provider.Up(ctx); err != nil {
		return s.migrationError(ctx, db, newest, err)
	}
	return nil
}

// migrationError explains why a migration failed. Another server may have run the same one at the same time:
// then the schema is up to date after all.
func (s *Store) migrationError(ctx context.Context, db *sql.DB, newest int64, err error) error {
	var version int64
	if db.QueryRowContext(ctx, schemaVersionSQL).Scan(&version) == nil && version == newest {
		return nil
	}
	var known *octopus.Error
	if translated := s.translate(err); errors.As(translated, &known) {
		return known
	}
	return fmt.Errorf("migration of %s: %w", s.name, err)
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
