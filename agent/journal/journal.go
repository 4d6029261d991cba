// Package journal remembers what an agent took on, across crashes: accepted, started, result, closed.
//
// It is one append-only file of records (length, CRC32C, kind, body). A torn tail is cut when the file is opened.
// An accept is noted without waiting for the disk; a start is on the disk before the guest runs; a result is
// written at once and synced side by side with being sent. Syncs are shared: whoever comes while one is under way
// waits for the next, together with all others.
package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"octopus/internal/wire"
)

// Defaults of Options.
const (
	DefaultMax     = 64 << 20
	compactAbove   = 1 << 20 // bytes; below it dead records do not matter
	resultsReserve = 1 << 20 // kept free for results when an accept is noted
)

// ErrFull is returned for an accept when the journal is at its bound. Starts and results are written all the same.
var ErrFull = errors.New("the agent's journal is full")

// Key names one try of an execution.
type Key struct {
	Execution string `json:"e"`
	Fence     int64  `json:"f"`
}

// Entry is what the journal knows of one execution that is not closed.
type Entry struct {
	Offer   *wire.Offer
	Attempt int
	Started bool
	Result  *wire.Result // nil: none was written
}

// span is where a record lies in the file.
type span struct{ at, n int64 }

// live is the records of one execution that is not closed.
type live struct{ spans []span }

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	path string // static
	max  int64  // static
	id   string // static

	mu    sync.Mutex // guards what follows, and writes to file
	file  *os.File
	size  int64
	start int64 // where the header ends
	lives map[Key]*live
	alive int64 // bytes of records in lives
	gen   int64 // grows with each compaction

	syncing sync.Mutex // held while a sync is under way; taken before mu
	wrote   int64      // guarded by mu: how many records were written
	synced  int64      // guarded by mu: how many of them are on the disk
}

// Open opens or makes the journal at path, with a bound in bytes (0: DefaultMax), and returns what was not closed,
// oldest first. An unreadable file is set aside and a new journal, with another id, begun.
func Open(path string, max int64) (*Journal, []Entry, error) {
	if max <= 0 {
		max = DefaultMax
	}
	j := &Journal{path: path, max: max, lives: map[Key]*live{}}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("open journal: %w", err)
	}
	j.file = file
	entries, err := j.load()
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return j, entries, nil
}

// ID is random per journal: with another one, the absence of an execution proves nothing.
func (j *Journal) ID() string { return j.id }

// Accepted notes an accept. It does not wait for the disk. At the bound it returns ErrFull.
func (j *Journal) Accepted(o *wire.Offer) error {
	body, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode offer: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.alive+int64(len(body))+resultsReserve > j.max {
		return ErrFull
	}
	return j.append(kindAccepted, Key{o.Execution, o.Fence}, body)
}

// Started notes that a guest is about to start, and returns once that is on the disk.
func (j *Journal) Started(k Key, attempt int) error {
	if err := j.write(kindStarted, k, startedBody{k, attempt}); err != nil {
		return err
	}
	return j.Sync()
}

// Result notes a result. Call Sync to wait for the disk.
func (j *Journal) Result(r *wire.Result) error {
	return j.write(kindResult, Key{r.Execution, r.Fence}, r)
}

// Closed forgets an execution.
func (j *Journal) Closed(k Key) error {
	if err := j.write(kindClosed, k, k); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.compact()
}

func (j *Journal) write(kind byte, k Key, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.append(kind, k, body)
}

// append writes one record. What a failed write left behind is cut off, so that later records stay readable.
func (j *Journal) append(kind byte, k Key, body []byte) error {
	if len(body) > maxBody {
		return fmt.Errorf("a journal record of %d bytes is over the limit", len(body))
	}
	record := encode(kind, body)
	if _, err := j.file.WriteAt(record, j.size); err != nil {
		_ = j.file.Truncate(j.size) // what is torn is cut at the next start
		return fmt.Errorf("write journal: %w", err)
	}
	j.track(kind, k, span{j.size, int64(len(record))})
	j.size += int64(len(record))
	j.wrote++
	return nil
}

// track keeps the index of what is alive.
func (j *Journal) track(kind byte, k Key, s span) {
	l := j.lives[k]
	if kind == kindClosed {
		if l != nil {
			for _, old := range l.spans {
				j.alive -= old.n
			}
			delete(j.lives, k)
		}
		return
	}
	if l == nil {
		l = &live{}
		j.lives[k] = l
	}
	l.spans = append(l.spans, s)
	j.alive += s.n
}

// Sync returns once everything written before it is on the disk.
func (j *Journal) Sync() error {
	j.mu.Lock()
	want := j.wrote
	j.mu.Unlock()

	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	if j.synced >= want {
		j.mu.Unlock()
		return nil // another's sync took it along
	}
	now, file, gen := j.wrote, j.file, j.gen
	j.mu.Unlock()

	err := file.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.gen != gen { // compacted meanwhile: that synced everything, and closed the old file
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	j.synced = now
	return nil
}

// Close syncs and closes the file.
func (j *Journal) Close() error {
	err := j.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	if cerr := j.file.Close(); err == nil {
		err = cerr
	}
	return err
}

// Bytes is how large the file is, and how much of it is alive.
func (j *Journal) Bytes() (size, alive int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.size, j.alive
}

// syncDir makes a rename durable. Windows cannot, and does not need to.
func syncDir(path string) {
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		_ = dir.Sync()
		dir.Close()
	}
}
