package journal

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"octopus/internal/disk"
	"octopus/internal/wire"
)

// load reads the file, cuts a torn tail, and begins a new journal where there is none.
func (j *Journal) load() ([]Entry, error) {
	info, err := j.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read journal: %w", err)
	}
	entries, good, err := j.scan(bufio.NewReaderSize(j.file, 64<<10))
	switch {
	case err == nil:
	case errors.Is(err, errTorn) && j.id != "" && info.Size()-good <= head+1+maxBody:
	case errors.Is(err, errTorn):
		// Not a journal, or damaged before its tail: what it held cannot be known. The new id says so.
		return entries, j.begin(info.Size() > 0, entries)
	default:
		return nil, fmt.Errorf("read journal: %w", err)
	}
	if j.id == "" {
		return nil, j.begin(false, nil)
	}
	if err := j.file.Truncate(good); err != nil {
		return nil, fmt.Errorf("cut journal: %w", err)
	}
	if err := j.file.Sync(); err != nil { // a process that was killed may have left more than it synced
		return nil, fmt.Errorf("sync journal: %w", err)
	}
	j.size = good
	return entries, nil
}

// scan reads records up to the first that is none, and returns the length of what was good.
func (j *Journal) scan(r *bufio.Reader) ([]Entry, int64, error) {
	found := map[Key]*Entry{}
	first := map[Key]int64{}
	var good int64
	var buffer []byte
	for {
		kind, body, next, err := decode(r, buffer)
		buffer = next
		if errors.Is(err, io.EOF) {
			return inOrder(found, first), good, nil
		}
		if err == nil && (j.id == "") != (kind == kindHeader) {
			err = errTorn
		}
		var k Key
		if err == nil {
			k, err = j.apply(found, kind, body)
		}
		if err != nil {
			return inOrder(found, first), good, err
		}
		n := int64(head + 1 + len(body))
		if kind == kindHeader {
			j.start = n
		} else {
			if _, ok := first[k]; !ok {
				first[k] = good
			}
			j.track(kind, k, span{good, n})
		}
		good += n
	}
}

// apply adds one record to what was found.
func (j *Journal) apply(found map[Key]*Entry, kind byte, body []byte) (Key, error) {
	switch kind {
	case kindHeader:
		var h headerBody
		if json.Unmarshal(body, &h) != nil || h.ID == "" {
			return Key{}, errTorn
		}
		j.id = h.ID
		return Key{}, nil
	case kindAccepted:
		o := new(wire.Offer)
		if json.Unmarshal(body, o) != nil {
			return Key{}, errTorn
		}
		k := Key{o.Execution, o.Fence}
		found[k] = &Entry{Offer: o, Attempt: o.Attempt}
		return k, nil
	case kindStarted:
		var s startedBody
		if json.Unmarshal(body, &s) != nil {
			return Key{}, errTorn
		}
		e := entry(found, s.Key)
		e.Started, e.Attempt = true, s.Attempt
		return s.Key, nil
	case kindResult:
		r := new(wire.Result)
		if json.Unmarshal(body, r) != nil {
			return Key{}, errTorn
		}
		k := Key{r.Execution, r.Fence}
		e := entry(found, k)
		e.Result, e.Attempt = r, r.Attempt
		return k, nil
	case kindClosed:
		var k Key
		if json.Unmarshal(body, &k) != nil {
			return Key{}, errTorn
		}
		delete(found, k)
		return k, nil
	}
	return Key{}, errTorn
}

// entry finds an execution, or makes one whose accept was not there: only its names are known then.
func entry(found map[Key]*Entry, k Key) *Entry {
	e := found[k]
	if e == nil {
		e = &Entry{Offer: &wire.Offer{Execution: k.Execution, Fence: k.Fence}}
		found[k] = e
	}
	return e
}

func inOrder(found map[Key]*Entry, first map[Key]int64) []Entry {
	keys := make([]Key, 0, len(found))
	for k := range found {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(first[a], first[b]) })
	entries := make([]Entry, 0, len(keys))
	for _, k := range keys {
		entries = append(entries, *found[k])
	}
	return entries
}

// begin starts a new file with a new id, and writes into it what could still be read of the old one, which is
// kept beside it.
func (j *Journal) begin(setAside bool, entries []Entry) error {
	if setAside {
		j.file.Close()
		if err := j.folder.Rename(j.name, j.name+".damaged"); err != nil {
			return fmt.Errorf("set the damaged journal aside: %w", err)
		}
		file, err := j.folder.OpenFile(j.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("open journal: %w", err)
		}
		j.file = file
	}
	j.id, j.size, j.alive, j.lives = rand.Text(), 0, 0, map[Key]*live{}
	if err := j.header(j.file); err != nil {
		return err
	}
	for _, e := range entries {
		if err := j.rewrite(e); err != nil {
			return err
		}
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	if err := j.folder.SyncDir("."); err != nil {
		return fmt.Errorf("sync journal: %w", err)
	}
	return nil
}

func (j *Journal) header(file disk.File) error {
	body, _ := json.Marshal(headerBody{j.id})
	record := encode(kindHeader, body)
	if _, err := file.WriteAt(record, 0); err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	j.size = int64(len(record))
	j.start = j.size
	return nil
}

func (j *Journal) rewrite(e Entry) error {
	k := Key{e.Offer.Execution, e.Offer.Fence}
	if err := j.write(kindAccepted, k, e.Offer); err != nil {
		return err
	}
	if e.Started {
		if err := j.write(kindStarted, k, startedBody{k, e.Attempt}); err != nil {
			return err
		}
	}
	if e.Result != nil {
		return j.write(kindResult, k, e.Result)
	}
	return nil
}
