package store

import (
	"context"
	"database/sql"
)

func (s *Store) openPostgres(ctx context.Context, url string) (*sql.DB, error) {
	panic("not built yet")
}
