// Package disk is a folder as those parts see it that must survive a power cut: few operations, with syncing among
// them. Root is the one that everybody runs on; internal/powercut has one whose power can be cut.
package disk

import (
	"io"
	"io/fs"
	"os"
)

// Folder is a folder and all below it. Names are relative to it, with slashes; none leads out of it. Errors are as
// those of package os.
type Folder interface {
	// OpenFile takes the flags of os.OpenFile, without O_APPEND.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	MkdirAll(name string, perm fs.FileMode) error
	// Rename replaces what has the new name already.
	Rename(from, to string) error
	Remove(name string) error
	// ReadDir returns entries sorted by name.
	ReadDir(name string) ([]fs.DirEntry, error)
	// SyncDir returns once the names in a folder are on the disk: what was made, renamed or removed in it. A file
	// that was synced can still be lost with its name. Where the system cannot do that it does nothing.
	SyncDir(name string) error
}

// File is an open file.
type File interface {
	io.Reader
	io.Writer
	io.ReaderAt
	io.WriterAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Truncate(size int64) error
	// Sync returns once the bytes are on the disk. After an error nobody knows what is: the system may have dropped
	// what it could not write, and the next Sync would not tell.
	Sync() error
}

// Root is a folder of the operating system.
func Root(root *os.Root) Folder { return osFolder{root} }

type osFolder struct{ root *os.Root }

func (f osFolder) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	file, err := f.root.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err // not a nil *os.File in a File
	}
	return file, nil
}

func (f osFolder) MkdirAll(name string, perm fs.FileMode) error { return f.root.MkdirAll(name, perm) }

func (f osFolder) Rename(from, to string) error { return f.root.Rename(from, to) }

func (f osFolder) Remove(name string) error { return f.root.Remove(name) }

func (f osFolder) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(f.root.FS(), name) }

func (f osFolder) SyncDir(name string) error {
	dir, err := f.root.Open(name)
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil && !cannotSync(err) {
		return err
	}
	return nil
}
