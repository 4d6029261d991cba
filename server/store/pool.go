package store

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
)

// queryer reads: either the readers' pool or a transaction of the writer.
type queryer interface {
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	row(ctx context.Context, query string, args ...any) scanner
}

// scanner is a row that can be read.
type scanner interface{ Scan(dest ...any) error }

// failedRow is a row whose query failed already.
type failedRow struct{ err error }

func (f failedRow) Scan(...any) error { return f.err }

// maxStatements bounds how many statements stay prepared; lists with many filters are prepared each time.
const maxStatements = 256

// pool is the readers' connections with their prepared statements.
type pool struct {
	db      *sql.DB
	dialect *dialect
	count   *atomic.Int64

	mu         sync.RWMutex
	statements map[string]*sql.Stmt // guarded by mu
}

func newPool(db *sql.DB, d *dialect, count *atomic.Int64) *pool {
	return &pool{db: db, dialect: d, count: count, statements: make(map[string]*sql.Stmt)}
}

func (p *pool) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	statement, done, err := p.prepare(ctx, query)
	if err != nil {
		return nil, err
	}
	defer done()
	rows, err := statement.QueryContext(ctx, args...)
	if isLost(err) && ctx.Err() == nil { // reading again is safe, and takes another connection
		rows, err = statement.QueryContext(ctx, args...)
	}
	return rows, err
}

func (p *pool) row(ctx context.Context, query string, args ...any) scanner {
	statement, done, err := p.prepare(ctx, query)
	if err != nil {
		return failedRow{err}
	}
	if p.dialect == sqlite {
		defer done()
		return statement.QueryRowContext(ctx, args...)
	}
	return readRow{ctx, statement, args, done}
}

// readRow is a row that is read again where its connection broke.
type readRow struct {
	ctx       context.Context
	statement *sql.Stmt
	args      []any
	done      func()
}

func (r readRow) Scan(dest ...any) error {
	defer r.done()
	err := r.statement.QueryRowContext(r.ctx, r.args...).Scan(dest...)
	if isLost(err) && r.ctx.Err() == nil {
		err = r.statement.QueryRowContext(r.ctx, r.args...).Scan(dest...)
	}
	return err
}

// prepare returns the statement for a query. done closes it where it is not kept; database/sql waits for its rows.
func (p *pool) prepare(ctx context.Context, query string) (_ *sql.Stmt, done func(), err error) {
	p.count.Add(1)
	p.mu.RLock()
	statement, ok := p.statements[query]
	full := len(p.statements) >= maxStatements
	p.mu.RUnlock()
	if ok {
		return statement, func() {}, nil
	}
	if statement, err = p.db.PrepareContext(ctx, p.dialect.rebind(query)); err != nil {
		return nil, nil, err
	}
	if full {
		return statement, func() { statement.Close() }, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if other, ok := p.statements[query]; ok {
		statement.Close()
		return other, func() {}, nil
	}
	p.statements[query] = statement
	return statement, func() {}, nil
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, statement := range p.statements {
		statement.Close()
	}
	clear(p.statements)
	p.db.Close()
}

// list runs a query and scans each row.
func list[T any](ctx context.Context, q queryer, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var items []T
	for rows.Next() {
		item, err := scan(rows)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, rows.Err()
}

// one scans a single column.
func one[T any](row scanner) (value T, err error) {
	err = row.Scan(&value)
	return value, err
}
