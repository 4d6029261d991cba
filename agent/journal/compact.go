package journal

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	"octopus/internal/disk"
)

// compact writes what is alive into a new file once that is less than a quarter of a file over compactAbove. The
// id stays: nothing is forgotten. It is called with mu held. A failure leaves the old file in place.
func (j *Journal) compact() error {
	if j.lost != nil || j.size < compactAbove || j.alive*4 > j.size {
		return nil
	}
	if j.alive == 0 { // the common case: everything was answered
		if err := j.file.Truncate(j.start); err != nil {
			return fmt.Errorf("compact journal: %w", err)
		}
		j.size = j.start
		return nil
	}
	if !canSwap {
		return nil
	}
	temp := j.name + ".new"
	file, err := j.folder.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("compact journal: %w", err)
	}
	moved, size, err := j.copyLive(file)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = j.folder.Rename(temp, j.name)
	}
	if err != nil {
		file.Close()
		_ = j.folder.Remove(temp)
		return fmt.Errorf("compact journal: %w", err)
	}
	if err := j.folder.SyncDir("."); err != nil { // which of the two files a restart will find is not known
		j.lost = lost("compact journal", err)
	}
	j.file.Close()
	j.file, j.size, j.lives, j.alive = file, size, moved, 0
	for _, l := range moved {
		for _, s := range l.spans {
			j.alive += s.n
		}
	}
	j.synced = j.wrote
	j.gen++
	return j.lost
}

// copyLive writes header and live records into file, oldest first.
func (j *Journal) copyLive(file disk.File) (map[Key]*live, int64, error) {
	old := j.size
	if err := j.header(file); err != nil { // sets j.size
		j.size = old
		return nil, 0, err
	}
	at := j.size
	j.size = old

	type record struct {
		k Key
		s span
	}
	var records []record
	for k, l := range j.lives {
		for _, s := range l.spans {
			records = append(records, record{k, s})
		}
	}
	slices.SortFunc(records, func(a, b record) int { return cmp.Compare(a.s.at, b.s.at) })
	moved := map[Key]*live{}
	for _, r := range records {
		raw := make([]byte, r.s.n)
		if _, err := j.file.ReadAt(raw, r.s.at); err != nil {
			return nil, 0, err
		}
		if _, err := file.WriteAt(raw, at); err != nil {
			return nil, 0, err
		}
		l := moved[r.k]
		if l == nil {
			l = &live{}
			moved[r.k] = l
		}
		l.spans = append(l.spans, span{at, r.s.n})
		at += r.s.n
	}
	return moved, at, nil
}
