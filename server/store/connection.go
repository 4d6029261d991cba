package store

import (
	"context"
	"database/sql"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// The writer's own connection. Everything here is called by the writer's goroutine only.

// connectTimeout bounds how long the writer waits for a database server that went away.
const connectTimeout = 10 * time.Second

func (w *writer) connect(ctx context.Context) (err error) {
	w.conn, err = w.store.writes.Conn(ctx)
	w.statements = make(map[string]*sql.Stmt)
	if err != nil || w.store.dialect != sqlite {
		return err
	}
	return w.raw(planOnce)
}

// planOnce keeps the planner from looking at bound values, which it does because of the partial indexes: it parses
// a prepared statement again whenever one differs, a third of a claim's time and most of that of reading a run's
// executions. Queries therefore repeat a partial index's condition in their text.
func planOnce(conn *sqlite3.Conn) error {
	_, err := conn.Config(sqlite3.DBCONFIG_ENABLE_QPSG, true)
	return err
}

// ready connects again where the last transaction lost its connection.
func (w *writer) ready() error {
	if w.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	return w.connect(ctx)
}

func (w *writer) disconnect() {
	if w.conn == nil {
		return
	}
	for _, statement := range w.statements {
		statement.Close()
	}
	w.conn.Close()
	w.conn, w.statements = nil, nil
}

// broken drops a connection that does not answer, so that the next transaction makes another. It reports whether
// it did.
func (w *writer) broken() bool {
	if w.conn == nil || w.store.dialect == sqlite {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if w.conn.PingContext(ctx) == nil {
		return false
	}
	w.disconnect()
	return true
}

// rollback ends a failed transaction. SQLite may have ended it already, which is no failure.
func (w *writer) rollback() {
	if w.conn == nil {
		return
	}
	if err := w.execute("ROLLBACK"); err != nil {
		w.broken()
	}
}

// execute runs a statement without parameters.
func (w *writer) execute(query string) error {
	statement, err := w.prepare(query)
	if err != nil {
		return err
	}
	_, err = statement.ExecContext(context.Background())
	return err
}

// prepare returns the statement for a query. Statements beyond the bound replace an arbitrary one.
func (w *writer) prepare(query string) (*sql.Stmt, error) {
	w.store.statements.Add(1)
	if statement, ok := w.statements[query]; ok {
		return statement, nil
	}
	statement, err := w.conn.PrepareContext(context.Background(), w.store.dialect.rebind(query))
	if err != nil {
		return nil, err
	}
	if len(w.statements) >= maxStatements {
		for other, old := range w.statements {
			old.Close()
			delete(w.statements, other)
			break
		}
	}
	w.statements[query] = statement
	return statement, nil
}
