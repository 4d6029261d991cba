package powercut

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
)

// Cut returns the disk that a machine would find that lost power when the log had at entries, at most as many as
// it has. seed chooses what survives of what was not synced. It begins with an empty log.
func (d *Disk) Cut(at int, seed uint64) *Disk {
	d.mu.Lock()
	log := d.log[:min(at, len(d.log))]
	d.mu.Unlock()
	r := &replay{
		rng:     rand.New(rand.NewPCG(seed, uint64(at))),
		held:    make(map[int]*inode, len(d.base)),
		pending: map[int][]op{},
		moves:   map[int][]*move{},
	}
	for ino, n := range d.base {
		r.held[ino] = n.clone()
	}
	for i := range log {
		r.step(i, log[i])
	}
	r.end()
	return mount(r.reachable())
}

// replay is what is on the disk for sure, and what is on its way there.
type replay struct {
	rng     *rand.Rand
	held    map[int]*inode
	pending map[int][]op    // by file: writes and truncations that were not synced
	moves   map[int][]*move // by folder: changes of names that were not synced
}

// move is a change of names. One between two folders is in both their lists.
type move struct {
	op
	at   int // in the log
	done bool
}

func (r *replay) step(at int, o op) {
	switch o.kind {
	case opWrite, opTruncate:
		r.pending[o.ino] = append(r.pending[o.ino], o)
	case opSync:
		n := r.held[o.ino]
		for _, p := range r.pending[o.ino] {
			n.data = p.edit(n.data)
		}
		delete(r.pending, o.ino)
	case opSyncFailed:
		r.settle(o.ino)
	case opSyncDir:
		r.syncNames(o.ino, at)
	case opLink, opUnlink, opRename:
		if o.kind == opLink { // it exists, but has no name yet
			r.held[o.ino] = &inode{}
			if o.isFolder {
				r.held[o.ino].names = map[string]int{}
			}
		}
		m := &move{op: o, at: at}
		for _, folder := range o.folders() {
			r.moves[folder] = append(r.moves[folder], m)
		}
	}
}

// syncNames makes the changes of a folder's names before a point durable, in order. What moved between two folders
// takes the earlier changes of the other along.
func (r *replay) syncNames(folder, before int) {
	for len(r.moves[folder]) > 0 && r.moves[folder][0].at < before {
		m := r.moves[folder][0]
		r.moves[folder] = r.moves[folder][1:]
		if m.done {
			continue
		}
		m.done = true
		for _, other := range m.folders() {
			if other != folder {
				r.syncNames(other, m.at)
			}
		}
		m.rename(r.held)
	}
}

// end lets some of what was under way arrive.
func (r *replay) end() {
	for _, folder := range sorted(r.moves) {
		if moves := r.moves[folder]; len(moves) > 0 {
			if n := r.rng.IntN(len(moves) + 1); n > 0 {
				r.syncNames(folder, moves[n-1].at+1)
			}
		}
	}
	for _, ino := range sorted(r.pending) {
		r.settle(ino)
	}
}

func sorted[V any](m map[int]V) []int {
	keys := make([]int, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// settle decides what arrives of a file's writes that were not synced.
func (r *replay) settle(ino int) {
	pending := r.pending[ino]
	delete(r.pending, ino)
	if len(pending) == 0 {
		return
	}
	s := scatter{rng: r.rng, data: r.held[ino].data, sector: 512, chance: 1}
	if r.rng.IntN(2) == 0 {
		s.sector = 4096
	}
	s.garbage = r.rng.IntN(3) == 0
	switch r.rng.IntN(6) {
	case 0: // nothing arrives
		return
	case 1: // everything does
	case 2: // a first part does, and its last write is torn
		pending = pending[:r.rng.IntN(len(pending))+1]
		s.tearLast = true
	default: // any part
		s.chance = []float64{0.1, 0.5, 0.9}[r.rng.IntN(3)]
		s.early = r.rng.IntN(2) == 0
	}
	r.held[ino].data = s.apply(pending)
}

// scatter applies parts of writes to a file's bytes.
type scatter struct {
	rng      *rand.Rand
	data     []byte
	sector   int64
	chance   float64 // that a sector arrives
	tearLast bool    // the last write ends somewhere within
	garbage  bool    // what a file grew by, and was not written, is garbage and not zeros
	early    bool    // the size arrives before the bytes do
}

func (s *scatter) apply(pending []op) []byte {
	size := int64(len(s.data))
	for i, o := range pending {
		if o.kind == opTruncate {
			size = o.off
			if s.arrives() {
				s.grow(o.off)
				s.data = s.data[:o.off:o.off]
			}
			continue
		}
		data := o.data
		if s.tearLast && i == len(pending)-1 {
			data = data[:s.rng.IntN(len(data)+1)]
		}
		size = max(size, o.off+int64(len(o.data)))
		s.write(o.off, data)
	}
	if s.early {
		s.grow(size)
	}
	return s.data
}

// write lets each sector of a write arrive, or a first part of it, or nothing.
func (s *scatter) write(off int64, data []byte) {
	for len(data) > 0 {
		n := min(int64(len(data)), s.sector-off%s.sector)
		piece := data[:n]
		if s.chance < 1 && s.rng.IntN(20) == 0 {
			piece = piece[:s.rng.IntN(len(piece)+1)]
		}
		if s.arrives() {
			s.grow(off + int64(len(piece)))
			copy(s.data[off:], piece)
		}
		off, data = off+n, data[n:]
	}
}

func (s *scatter) arrives() bool { return s.chance >= 1 || s.rng.Float64() < s.chance }

func (s *scatter) grow(size int64) {
	from := len(s.data)
	if int64(from) >= size {
		return
	}
	s.data = resize(s.data, size)
	if s.garbage {
		junk := binary.LittleEndian.AppendUint64(nil, s.rng.Uint64())
		for i := from; i < len(s.data); i += len(junk) {
			copy(s.data[i:], junk)
		}
	}
}

// reachable drops what has no name.
func (r *replay) reachable() map[int]*inode {
	kept := map[int]*inode{}
	var walk func(int)
	walk = func(ino int) {
		kept[ino] = r.held[ino]
		for _, child := range r.held[ino].names {
			walk(child)
		}
	}
	walk(root)
	return kept
}
