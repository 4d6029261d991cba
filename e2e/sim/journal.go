package sim

import (
	"fmt"
	"time"

	"octopus/agent/core"
	"octopus/internal/wire"
)

// journal is the model of an agent's journal: what was written, and how much of it is on the disk. A process that
// dies loses nothing, a machine that loses power loses a tail of what was not synced.
type journal struct {
	w       *World
	id      string
	records []record
	synced  int // how many records are on the disk
	full    bool
}

// record is one line of a journal.
type record struct {
	kind    recordKind
	key     core.Key
	offer   *wire.Offer
	attempt int
	result  *wire.Result
}

type recordKind int

const (
	noteAccepted recordKind = iota + 1
	noteStarted
	noteResult
	noteClosed
)

func (w *World) newJournal() *journal {
	w.next++
	return &journal{w: w, id: fmt.Sprintf("journal%d", w.next)}
}

func (j *journal) add(r record) { j.records = append(j.records, r) }

// sync brings what was written by now to the disk, after a while.
func (j *journal) sync(p *proc, done func()) {
	n := len(j.records)
	d := j.w.between(100*time.Microsecond, 10*time.Millisecond)
	if j.w.chance(25) {
		d = j.w.between(0, time.Second)
	}
	j.w.after(d, p, func() {
		j.synced = max(j.synced, min(n, len(j.records)))
		if done != nil {
			done()
		}
	})
}

// cut is the loss of power: of what was not synced an unknown part is left.
func (j *journal) cut() (lost int) {
	keep := j.synced + j.w.rng.IntN(len(j.records)-j.synced+1)
	lost = len(j.records) - keep
	j.records = j.records[:keep]
	j.synced = keep
	return lost
}

// read is what a new process finds: what is not closed, oldest first.
func (j *journal) read() []core.Restored {
	var order []core.Key
	found := make(map[core.Key]*core.Restored)
	for _, r := range j.records {
		e := found[r.key]
		if r.kind == noteClosed {
			delete(found, r.key)
			continue
		}
		if e == nil {
			if r.offer == nil {
				continue // its accept was closed: nothing is known of it
			}
			e = &core.Restored{Offer: r.offer, Attempt: r.offer.Attempt}
			found[r.key] = e
			order = append(order, r.key)
		}
		switch r.kind {
		case noteStarted:
			e.Started, e.Attempt = true, r.attempt
		case noteResult:
			e.Result, e.Attempt = r.result, r.result.Attempt
		}
	}
	j.synced = len(j.records)
	var list []core.Restored
	for _, k := range order {
		if e := found[k]; e != nil {
			list = append(list, *e)
			delete(found, k)
		}
	}
	return list
}
