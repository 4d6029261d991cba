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
	"sync"

	"octopus/internal/disk"
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

// ErrLost says that a sync failed: nothing can be noted any more until the journal is opened again.
var ErrLost = errors.New("the journal's disk failed")

func lost(what string, err error) error { return fmt.Errorf("%s: %w: %w", what, ErrLost, err) }

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
	folder disk.Folder // static
	name   string      // static
	max    int64       // static
	id     string      // static

	mu    sync.Mutex // guards what follows, and writes to file
	file  disk.File
	size  int64
	start int64 // where the header ends
	lives map[Key]*live
	alive int64 // bytes of records in lives
	gen   int64 // grows with each compaction
	lost  error // a sync failed: nobody knows what is on the disk until the file is read again

	syncing sync.Mutex // held while a sync is under way; taken before mu
	wrote   int64      // guarded by mu: how many records were written
	synced  int64      // guarded by mu: how many of them are on the disk
}

// Open opens or makes the journal of a name in a folder, with a bound in bytes (0: DefaultMax), and returns what was
// not closed, oldest first. An unreadable file is set aside and a new journal, with another id, begun. What it
// returns is on the disk: it may be told to the server.
func Open(folder disk.Folder, name string, max int64) (*Journal, []Entry, error) {
	if max <= 0 {
		max = DefaultMax
	}
	j := &Journal{folder: folder, name: name, max: max, lives: map[Key]*live{}}
	file, err := folder.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
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
	if j.lost != nil {
		return j.lost
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

// Sync returns once everything written before it is on the disk. After an error it fails for good, and so does all
// writing: the system may have dropped what it could not write, and a later sync would not tell. Only opening the
// journal again, after a restart, shows what is there.
func (j *Journal) Sync() error {
	j.mu.Lock()
	want := j.wrote
	j.mu.Unlock()

	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	if j.synced >= want || j.lost != nil {
		defer j.mu.Unlock()
		if j.synced >= want {
			return nil // another's sync took it along
		}
		return j.lost
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
		j.lost = lost("sync journal", err)
		return j.lost
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
