package powercut

import (
	"maps"
	"slices"
)

// Op names an operation that can be made to fail.
type Op string

// The operations. Lock is never the disk's own: SQLite's VFS asks about it.
const (
	Open     Op = "open"
	Read     Op = "read"
	Write    Op = "write"
	Truncate Op = "truncate"
	Sync     Op = "sync"
	Mkdir    Op = "mkdir"
	Rename   Op = "rename"
	Remove   Op = "remove"
	SyncDir  Op = "syncdir"
	Lock     Op = "lock"
)

// opKind is what an entry of the log did.
type opKind byte

const (
	opWrite opKind = iota
	opTruncate
	opSync
	opSyncFailed
	opLink // a new file or folder gets a name
	opUnlink
	opRename
	opSyncDir
)

// op is one entry of the log.
type op struct {
	kind opKind
	ino  int // what it is about

	off  int64 // opWrite: where; opTruncate: the size
	data []byte

	dir, toDir   int // folders of names
	name, toName string
	isFolder     bool
}

// do logs an operation and does it to what programs see. It is called with mu held.
func (d *Disk) do(o op) {
	d.log = append(d.log, o)
	switch o.kind {
	case opWrite, opTruncate:
		n := d.live[o.ino]
		n.data = o.edit(n.data)
	case opLink, opUnlink, opRename:
		o.rename(d.live)
	}
}

// edit does a write or a truncation to a file's bytes.
func (o *op) edit(data []byte) []byte {
	if o.kind == opTruncate {
		return resize(data, o.off)
	}
	if end := o.off + int64(len(o.data)); end > int64(len(data)) {
		data = resize(data, end)
	}
	copy(data[o.off:], o.data)
	return data
}

// resize cuts or grows with zeros.
func resize(data []byte, size int64) []byte {
	if size <= int64(len(data)) {
		return data[:size:size] // what grows again must be zeros
	}
	return append(data, make([]byte, size-int64(len(data)))...)
}

// rename does a change of names to a tree.
func (o *op) rename(tree map[int]*inode) {
	switch o.kind {
	case opLink:
		if tree[o.ino] == nil {
			tree[o.ino] = &inode{}
			if o.isFolder {
				tree[o.ino].names = map[string]int{}
			}
		}
		tree[o.dir].names[o.name] = o.ino
	case opUnlink:
		delete(tree[o.dir].names, o.name)
	case opRename:
		delete(tree[o.dir].names, o.name)
		tree[o.toDir].names[o.toName] = o.ino
	}
}

// folders are those whose names an operation changes.
func (o *op) folders() []int {
	if o.kind == opRename && o.toDir != o.dir {
		return []int{o.dir, o.toDir}
	}
	return []int{o.dir}
}

// Boundaries returns the points right before and right after each sync, in order: where cuts tell most.
func (d *Disk) Boundaries() []int {
	d.mu.Lock()
	defer d.mu.Unlock()
	points := map[int]bool{len(d.log): true}
	for i := range d.log {
		if k := d.log[i].kind; k == opSync || k == opSyncDir {
			points[i], points[i+1] = true, true
		}
	}
	return slices.Sorted(maps.Keys(points))
}
