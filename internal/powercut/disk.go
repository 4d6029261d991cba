package powercut

import (
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"octopus/internal/disk"
)

// Disk is a disk with its log. It implements [disk.Folder]. It is safe for concurrent use.
type Disk struct {
	base map[int]*inode // static: what the disk held when it was made

	mu   sync.Mutex
	log  []op           // guarded by mu
	live map[int]*inode // guarded by mu: what programs see
	next int            // guarded by mu: the next inode's number
	fail func(Op, string) error
}

// root is the number of the root folder.
const root = 1

// inode is a file or a folder.
type inode struct {
	data  []byte
	names map[string]int // nil: a file
}

func (n *inode) clone() *inode {
	c := &inode{data: slices.Clone(n.data)}
	if n.names != nil {
		c.names = make(map[string]int, len(n.names))
		for name, ino := range n.names {
			c.names[name] = ino
		}
	}
	return c
}

// New returns an empty disk.
func New() *Disk {
	return mount(map[int]*inode{root: {names: map[string]int{}}})
}

// mount makes a disk of what it holds.
func mount(held map[int]*inode) *Disk {
	d := &Disk{base: held, live: make(map[int]*inode, len(held))}
	for ino, n := range held {
		d.live[ino] = n.clone()
		d.next = max(d.next, ino)
	}
	return d
}

// Clone returns a disk with what programs see now, all of it durable, and an empty log.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := make(map[int]*inode, len(d.live))
	for ino, n := range d.live {
		held[ino] = n.clone()
	}
	return mount(held)
}

// Put makes a durable file on a disk that nobody uses yet.
func (d *Disk) Put(name string, data []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.next++
	for _, tree := range []map[int]*inode{d.base, d.live} {
		tree[d.next] = &inode{data: slices.Clone(data)}
		tree[root].names[name] = d.next
	}
}

// Bytes returns the content of a file as programs see it, nil where there is none.
func (d *Disk) Bytes(name string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	ino, err := d.find(name)
	if err != nil {
		return nil
	}
	return slices.Clone(d.live[ino].data)
}

// Len is how many operations were done: a point in time.
func (d *Disk) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log)
}

// Fail sets what is asked before each operation; an error from it is the operation's. A failing write has written
// half, a failing sync has dropped what it could not write. nil: nothing fails.
func (d *Disk) Fail(f func(Op, string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fail = f
}

// Check asks whether an operation fails that is not the disk's own, such as a lock.
func (d *Disk) Check(o Op, name string) error {
	d.mu.Lock()
	f := d.fail
	d.mu.Unlock()
	if f == nil {
		return nil
	}
	if err := f(o, name); err != nil {
		return &fs.PathError{Op: string(o), Path: name, Err: err}
	}
	return nil
}

// find returns the number of a name. It is called with mu held.
func (d *Disk) find(name string) (int, error) {
	at := root
	if name = path.Clean(name); name == "." {
		return at, nil
	}
	for part := range strings.SplitSeq(name, "/") {
		next, ok := d.live[at].names[part]
		if !ok {
			return 0, fs.ErrNotExist
		}
		at = next
	}
	return at, nil
}

// parent returns the folder of a name and its last part. It is called with mu held.
func (d *Disk) parent(name string) (int, string, error) {
	folder, last := path.Split(path.Clean(name))
	ino, err := d.find(folder)
	if err == nil && d.live[ino].names == nil {
		err = syscall.ENOTDIR
	}
	return ino, last, err
}

// OpenFile implements [disk.Folder].
func (d *Disk) OpenFile(name string, flag int, _ fs.FileMode) (disk.File, error) {
	if err := d.Check(Open, name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ino, err := d.open(name, flag)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if flag&os.O_TRUNC != 0 && len(d.live[ino].data) > 0 {
		d.do(op{kind: opTruncate, ino: ino})
	}
	return &file{disk: d, name: name, ino: ino}, nil
}

func (d *Disk) open(name string, flag int) (int, error) {
	folder, last, err := d.parent(name)
	if err != nil {
		return 0, err
	}
	ino, ok := d.live[folder].names[last]
	switch {
	case ok && flag&os.O_EXCL != 0:
		return 0, fs.ErrExist
	case ok && d.live[ino].names != nil:
		return 0, syscall.EISDIR
	case ok:
		return ino, nil
	case flag&os.O_CREATE == 0:
		return 0, fs.ErrNotExist
	}
	return d.make(folder, last, false), nil
}

// make makes a file or a folder. It is called with mu held.
func (d *Disk) make(folder int, name string, isFolder bool) int {
	d.next++
	d.do(op{kind: opLink, ino: d.next, dir: folder, name: name, isFolder: isFolder})
	return d.next
}

// MkdirAll implements [disk.Folder].
func (d *Disk) MkdirAll(name string, _ fs.FileMode) error {
	if err := d.Check(Mkdir, name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at := root
	for part := range strings.SplitSeq(path.Clean(name), "/") {
		if part == "." {
			continue
		}
		next, ok := d.live[at].names[part]
		if !ok {
			next = d.make(at, part, true)
		}
		if d.live[next].names == nil {
			return &fs.PathError{Op: "mkdir", Path: name, Err: syscall.ENOTDIR}
		}
		at = next
	}
	return nil
}

// Rename implements [disk.Folder].
func (d *Disk) Rename(from, to string) error {
	if err := d.Check(Rename, from); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, name, err := d.parent(from)
	toDir, toName, err2 := d.parent(to)
	ino, ok := 0, false
	if err == nil && err2 == nil {
		ino, ok = d.live[dir].names[name]
	}
	if !ok {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	d.do(op{kind: opRename, ino: ino, dir: dir, name: name, toDir: toDir, toName: toName})
	return nil
}

// Remove implements [disk.Folder].
func (d *Disk) Remove(name string) error {
	if err := d.Check(Remove, name); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	dir, last, err := d.parent(name)
	ino, ok := 0, false
	if err == nil {
		ino, ok = d.live[dir].names[last]
	}
	switch {
	case !ok:
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	case len(d.live[ino].names) > 0:
		return &fs.PathError{Op: "remove", Path: name, Err: syscall.ENOTEMPTY}
	}
	d.do(op{kind: opUnlink, ino: ino, dir: dir, name: last})
	return nil
}

// SyncDir implements [disk.Folder].
func (d *Disk) SyncDir(name string) error {
	err := d.Check(SyncDir, name)
	d.mu.Lock()
	defer d.mu.Unlock()
	ino, missing := d.find(name)
	switch {
	case err != nil:
		return err // names are not dropped: they are in the file system's own journal
	case missing != nil:
		return &fs.PathError{Op: "sync", Path: name, Err: missing}
	}
	d.do(op{kind: opSyncDir, ino: ino})
	return nil
}

// ReadDir implements [disk.Folder].
func (d *Disk) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := d.Check(Read, name); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ino, err := d.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	var entries []fs.DirEntry
	for last, ino := range d.live[ino].names {
		n := d.live[ino]
		entries = append(entries, fs.FileInfoToDirEntry(info{last, int64(len(n.data)), n.names != nil}))
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// info describes a file. This disk keeps no times.
type info struct {
	name   string
	size   int64
	folder bool
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) ModTime() time.Time { return time.Now() }
func (i info) IsDir() bool        { return i.folder }
func (i info) Sys() any           { return nil }

func (i info) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o700
	}
	return 0o600
}
