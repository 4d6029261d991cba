package powercut

import (
	"io"
	"io/fs"
	"path"
	"slices"
)

// file is an open file.
type file struct {
	disk *Disk
	name string
	ino  int
	at   int64 // of Read and Write; one goroutine's
}

func (f *file) Read(b []byte) (int, error) {
	n, err := f.ReadAt(b, f.at)
	f.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *file) ReadAt(b []byte, off int64) (int, error) {
	if err := f.disk.Check(Read, f.name); err != nil {
		return 0, err
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	data := f.disk.live[f.ino].data
	if off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(b, data[off:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(b []byte) (int, error) {
	n, err := f.WriteAt(b, f.at)
	f.at += int64(n)
	return n, err
}

func (f *file) WriteAt(b []byte, off int64) (int, error) {
	err := f.disk.Check(Write, f.name)
	if err != nil {
		b = b[:len(b)/2]
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if len(b) > 0 {
		f.disk.do(op{kind: opWrite, ino: f.ino, off: off, data: slices.Clone(b)})
	}
	return len(b), err
}

func (f *file) Truncate(size int64) error {
	if err := f.disk.Check(Truncate, f.name); err != nil {
		return err
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.do(op{kind: opTruncate, ino: f.ino, off: size})
	return nil
}

func (f *file) Sync() error {
	err := f.disk.Check(Sync, f.name)
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	kind := opSync
	if err != nil {
		kind = opSyncFailed
	}
	f.disk.do(op{kind: kind, ino: f.ino})
	return err
}

func (f *file) Stat() (fs.FileInfo, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return info{path.Base(f.name), int64(len(f.disk.live[f.ino].data)), false}, nil
}

func (f *file) Close() error { return nil }
