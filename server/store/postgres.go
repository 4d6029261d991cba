package store

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"octopus/internal/octopus"
)

// postgresReaders is how many connections read PostgreSQL at a time.
const postgresReaders = 8

// openPostgres connects to a PostgreSQL database and returns the readers.
func (s *Store) openPostgres(ctx context.Context, url string) (*sql.DB, error) {
	s.dialect = postgres
	config, err := pgx.ParseConfig(url)
	if err != nil { // the error would repeat the password
		return nil, octopus.Errorf(octopus.CodeInvalid,
			"The database address is not a PostgreSQL one. It looks like postgres://user:password@host:5432/name.")
	}
	s.name = config.Database + " on " + net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
	config.RuntimeParams["application_name"] = "octopus"
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTimeout
	}
	s.writes = stdlib.OpenDB(*config)
	s.writes.SetMaxOpenConns(1)
	if err = s.writes.PingContext(ctx); err == nil {
		err = s.migrate(ctx, s.writes)
	}
	if err != nil {
		s.writes.Close()
		return nil, s.connectError(config, err)
	}
	reads := stdlib.OpenDB(*config)
	reads.SetMaxOpenConns(postgresReaders)
	reads.SetMaxIdleConns(postgresReaders)
	reads.SetConnMaxIdleTime(5 * time.Minute)
	return reads, nil
}

// connectError turns what PostgreSQL says while connecting into a sentence with the way out.
func (s *Store) connectError(config *pgx.ConnConfig, err error) error {
	var known *octopus.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &pg) && (pg.Code == "28P01" || pg.Code == "28000"):
		return octopus.Errorf(octopus.CodeDenied, "PostgreSQL refuses the user %q of %s. Check the user and the password in the database address.", config.User, s.name)
	case errors.As(err, &pg) && pg.Code == "3D000":
		return octopus.Errorf(octopus.CodeNotFound, "There is no database %s. Make it with: createdb %s", s.name, config.Database)
	case errors.As(err, &pg) && pg.Code == "42501":
		return octopus.Errorf(octopus.CodeDenied, "The user %q may not make tables in %s. Make it the owner of the database.", config.User, s.name)
	}
	return s.fail("opening "+s.name, err)
}
