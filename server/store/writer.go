package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
)

const (
	// maxBatch is how many operations share a commit.
	maxBatch = 200
	// queueLength bounds the writer's queue. Full: callers wait, nothing is dropped.
	queueLength = 1024
	// maxTries is how often a batch is run again after it lost against another server.
	maxTries = 5
)

// operation is one caller's write. run may be called several times, each time in a fresh transaction or
// savepoint, and must not keep what an earlier call computed.
type operation struct {
	ctx   context.Context
	about string // the execution that it locks first, "" for anything else
	run   func(*tx) error
	err   error
	done  chan struct{}
}

// writer commits operations in groups: while one commit syncs, the next group queues. There is no timer.
type writer struct {
	store *Store
	queue chan *operation
	ended chan struct{} // closed when the goroutine has ended

	mu     sync.RWMutex // held for reading while sending on queue
	closed bool         // guarded by mu

	conn       *sql.Conn            // owned by the goroutine
	statements map[string]*sql.Stmt // owned by the goroutine
	updates    map[uint32]string    // owned by the goroutine: UPDATE texts by changed columns
	cache      rowCache             // owned by the goroutine
	checkpoint *checkpointer        // static; nil on PostgreSQL
}

func startWriter(ctx context.Context, s *Store) (*writer, error) {
	w := &writer{store: s, queue: make(chan *operation, queueLength), ended: make(chan struct{}), updates: make(map[uint32]string)}
	if err := w.connect(ctx); err != nil {
		return nil, s.fail("writer's connection", err)
	}
	if s.dialect == sqlite {
		w.cache.rows = make(map[string]octopus.Execution)
		var err error
		if w.checkpoint, err = startCheckpointer(s.name, w); err != nil {
			w.disconnect()
			return nil, s.fail("checkpointer", err)
		}
	}
	go w.loop()
	return w, nil
}

// write queues an operation and waits for its commit. A context that ends before the operation began cancels
// it; after that the caller learns how it went.
func (s *Store) write(ctx context.Context, run func(*tx) error) error {
	return s.writeAbout(ctx, "", run)
}

// writeAbout is write for an operation that begins with one execution.
func (s *Store) writeAbout(ctx context.Context, execution string, run func(*tx) error) error {
	op := &operation{ctx: ctx, about: execution, run: run, done: make(chan struct{})}
	if err := s.writer.send(op); err != nil {
		return err
	}
	<-op.done
	return op.err
}

func (w *writer) send(op *operation) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.closed {
		return errStopping
	}
	select {
	case w.queue <- op:
		return nil
	case <-op.ctx.Done():
		return op.ctx.Err()
	}
}

// stop lets the writer finish what is queued and waits for its end.
func (w *writer) stop() {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.ended
}

func (w *writer) loop() {
	defer close(w.ended)
	defer w.disconnect()
	defer w.settleLog()
	if w.checkpoint != nil {
		defer w.checkpoint.stop()
	}
	batch := make([]*operation, 0, maxBatch)
	for op := range w.queue {
		batch = append(batch[:0], op)
		w.gather()
		for len(batch) < maxBatch && len(w.queue) > 0 {
			if op, ok := <-w.queue; ok {
				batch = append(batch, op)
			}
		}
		w.commit(batch)
		clear(batch)
		if w.checkpoint != nil {
			w.checkpoint.committed(w)
		}
	}
}

// gather lets others run for as long as that brings operations: on a busy machine whoever is about to write gets a place in
// this commit, of which each costs a sync and some twenty pages. Where nobody else can run it costs nothing.
func (w *writer) gather() {
	for seen := -1; seen < len(w.queue) && len(w.queue) < maxBatch; {
		seen = len(w.queue)
		runtime.Gosched()
	}
}

// commit runs a batch until it is stored or cannot be, and answers its callers.
func (w *writer) commit(batch []*operation) {
	live := batch[:0:len(batch)]
	for _, op := range batch {
		if op.err = op.ctx.Err(); op.err == nil {
			live = append(live, op)
		} else {
			close(op.done)
		}
	}
	if len(live) == 0 {
		return
	}
	if w.store.dialect == postgres {
		// Other servers' batches lock the same rows: in one order for all, or they stop each other for seconds.
		slices.SortStableFunc(live, func(a, b *operation) int { return cmp.Compare(a.about, b.about) })
	}
	err := w.store.Err() // after a failed sync nothing is tried again
	if err == nil {
		err = w.attempt(live, false)
	}
	for try := 1; try < maxTries && (isRetryable(err) || isLost(err) || errors.Is(err, errDirty) && len(live) > 1); try++ {
		err = w.attempt(live, true)
	}
	if len(live) == 1 && errors.Is(err, errDirty) {
		err = nil // it was alone and is undone: its own error is the answer
	}
	w.store.judge(err)
	if why := w.store.Err(); err != nil && why != nil {
		err = why
	} else if err != nil {
		err = w.store.fail("transaction", err)
	}
	w.store.note(err)
	for _, op := range live {
		if err != nil {
			op.err = err
		}
		close(op.done)
	}
}

// errDirty says that an operation failed after it had written: the batch runs again with savepoints.
var errDirty = errors.New("an operation failed after it had written")

// attempt runs a batch in one transaction. Savepoints cost two statements each and almost no operation fails
// after it wrote, so that the first attempt does without them. The error is the whole batch's.
func (w *writer) attempt(batch []*operation, savepoints bool) (err error) {
	if err := w.ready(); err != nil {
		return err
	}
	t, err := w.begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			w.cache.clear()
			w.rollback()
		}
	}()
	for _, op := range batch {
		if err = w.runOne(t, op, savepoints && len(batch) > 1); err != nil {
			return err
		}
	}
	if err = t.flush(); err != nil {
		return err
	}
	t.distinct()
	if err = t.relay(); err != nil {
		return err
	}
	if err = w.execute("COMMIT"); isLost(err) {
		err = errUnknown
	}
	if err == nil || errors.Is(err, errUnknown) { // whoever hears a hint looks at what is there
		t.publish()
	}
	return err
}

// runOne runs one operation. Its own failure goes to op.err; the error returned is the batch's.
func (w *writer) runOne(t *tx, op *operation, savepoint bool) error {
	mark := t.mark()
	if savepoint {
		if err := w.execute("SAVEPOINT operation"); err != nil {
			return err
		}
	}
	t.dirty = false
	op.err = protect(op.run, t)
	switch {
	case op.err == nil && !savepoint:
		return nil
	case op.err == nil:
		return w.execute("RELEASE operation")
	case endsTransaction(op.err):
		return op.err
	}
	t.reset(mark)
	w.cache.clear()
	if savepoint {
		if err := w.execute("ROLLBACK TO operation"); err != nil {
			return err
		}
		return w.execute("RELEASE operation")
	}
	if t.dirty || octopus.CodeOf(op.err) == octopus.CodeInternal { // PostgreSQL goes on after no failed statement
		return errDirty
	}
	return nil
}

// protect turns a panic of an operation into its error: one bad step must not end the server.
func protect(run func(*tx) error, t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			t.dirty = true
			err = fmt.Errorf("operation panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return run(t)
}

func (w *writer) begin() (*tx, error) {
	err := w.execute(w.store.dialect.begin)
	if err != nil && w.broken() { // the database server was restarted: nothing ran yet, so that it is safe to try again
		if err = w.ready(); err == nil {
			err = w.execute(w.store.dialect.begin)
		}
	}
	if err != nil {
		return nil, err
	}
	t := &tx{writer: w, store: w.store, later: newDeferred()}
	if w.store.dialect.clockSQL == "" {
		t.now = w.store.now().UTC().Truncate(time.Microsecond)
		return t, nil
	}
	us, err := one[int64](t.row(context.Background(), w.store.dialect.clockSQL))
	t.now = fromMicros(us)
	w.store.skew.Store(int64(t.now.Sub(w.store.now())))
	return t, err
}

// note remembers whether the disk is full, and says so once at each turn.
func (s *Store) note(err error) {
	full := err != nil && isNoSpace(err)
	if was := s.noSpace.Swap(full); was == full {
		return
	}
	if full {
		s.log.Error("the disk of the database is full; nothing can be saved until there is space", "database", s.name)
	} else {
		s.log.Info("the database can be written again", "database", s.name)
		if s.bus != nil {
			s.bus.Publish(bus.Hint{Topic: "writable"})
		}
	}
}
