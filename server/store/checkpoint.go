package store

import (
	"context"
	"database/sql"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
)

// SQLite copies its WAL into the database file in a checkpoint. Left to itself it does so in some unlucky commit,
// whose caller waits for all of it. Here a connection of its own copies while the writer goes on, and the writer
// copies only what came meanwhile, so that the WAL can begin anew.
const (
	checkpointPages = 1000  // 4 MB: wake the checkpointer
	checkpointForce = 16000 // 64 MB: the writer waits for all of it, whatever the checkpointer does
)

// checkpointer copies the WAL in the background.
type checkpointer struct {
	store  *Store
	db     *sql.DB
	wake   chan struct{} // 1 deep: full means that it is awake already
	ended  chan struct{}
	finish atomic.Bool  // a pass is done: the writer should copy the rest
	pages  atomic.Int64 // in the WAL, as of the last commit
	pauses atomic.Int32 // a backup reads: nothing that it can see may be copied away
}

// startCheckpointer takes over checkpoints from the writer's connection.
func startCheckpointer(path string, w *writer) (*checkpointer, error) {
	db, err := driver.Open(w.store.sqliteDSN(path, -1000, false), keepLog)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	c := &checkpointer{store: w.store, db: db, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	err = w.raw(func(conn *sqlite3.Conn) error {
		conn.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
			c.pages.Store(int64(pages))
			return nil
		})
		return nil
	})
	if err != nil {
		db.Close()
		return nil, err
	}
	go c.loop()
	return c, nil
}

func (c *checkpointer) loop() {
	defer close(c.ended)
	for range c.wake {
		if c.store.Err() != nil {
			continue
		}
		// A failure is the next pass's business, unless it is one of a sync: at worst the WAL grows until the writer
		// copies it.
		_, err := c.db.ExecContext(context.Background(), "PRAGMA wal_checkpoint(PASSIVE)")
		if c.store.judge(err); err == nil {
			c.finish.Store(true)
		}
	}
}

func (c *checkpointer) stop() {
	close(c.wake)
	<-c.ended
	c.db.Close()
}

// committed is called by the writer after each commit.
func (c *checkpointer) committed(w *writer) {
	pages := c.pages.Load()
	switch {
	case pages < checkpointPages || c.pauses.Load() > 0 || w.store.Err() != nil:
	case c.finish.Swap(false) || pages >= checkpointForce:
		w.store.judge(w.raw(func(conn *sqlite3.Conn) error {
			_, _, err := conn.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
			return err // readers of old pages: the next pass tries again
		}))
		c.pages.Store(0) // until the next commit says how many there are
	default:
		select {
		case c.wake <- struct{}{}:
		default:
		}
	}
}

// pause stops checkpoints, or with -1 lets them go on.
func (c *checkpointer) pause(n int32) { c.pauses.Add(n) }

// raw gives access to the SQLite connection below the writer's.
func (w *writer) raw(use func(*sqlite3.Conn) error) error {
	return w.conn.Raw(func(conn any) error { return use(conn.(driver.Conn).Raw()) })
}
