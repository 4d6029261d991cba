// Package diskvfs is SQLite on a [powercut.Disk]: databases whose power can be cut and whose disk can fail.
//
// It does what the driver's own VFS does, file by file, with its sync as it is on Linux: one fdatasync, which does
// not make the file's name durable. (The driver means to sync the folder of a new journal or WAL as SQLite asks it
// to, but syncs the file a second time.) Locks are held in memory; the WAL index is shared memory as always, in a
// folder of the test, and begins empty after a cut.
package diskvfs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"octopus/internal/powercut"
)

// Register makes a disk known to SQLite until the test ends, and returns the name of its VFS. Each registration is
// a boot: it has locks and shared memory of its own. Of a database's path only the last part counts.
func Register(t testing.TB, d *powercut.Disk) (name string) {
	t.Helper()
	shm, err := os.MkdirTemp("", "octopus-shm-")
	if err != nil {
		t.Fatalf("folder of shared memory: %v", err)
	}
	name = prefix + filepath.Base(shm)
	vfs.Register(name, &system{disk: d, shm: shm, locks: map[string]*locks{}})
	t.Cleanup(func() { Unregister(name) })
	return name
}

// Unregister lets go of a disk before the end of its test. Databases on it must be closed.
func Unregister(name string) {
	if shm, ok := strings.CutPrefix(name, prefix); ok {
		vfs.Unregister(name)
		os.RemoveAll(filepath.Join(os.TempDir(), shm))
	}
}

// prefix begins the names of VFSs; the name of their folder of shared memory follows.
const prefix = "powercut-"

// system is one boot of a disk.
type system struct {
	disk *powercut.Disk
	shm  string

	mu    sync.Mutex
	locks map[string]*locks // guarded by mu; by file
}

func (s *system) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name == "" { // a temporary database: not our business
		return vfs.Find("").(vfs.VFSFilename).OpenFilename(nil, flags)
	}
	how := os.O_RDWR
	if flags&vfs.OPEN_CREATE != 0 {
		how |= os.O_CREATE
	}
	if flags&vfs.OPEN_EXCLUSIVE != 0 {
		how |= os.O_EXCL
	}
	short := filepath.Base(name)
	opened, err := s.disk.OpenFile(short, how, 0o600)
	if err != nil {
		return nil, flags, err
	}
	f := &file{File: opened, system: s, name: short, readOnly: flags&vfs.OPEN_READONLY != 0}
	f.shm = vfs.NewSharedMemory(filepath.Join(s.shm, short+"-shm"), flags)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.locks = s.locks[short]; f.locks == nil {
		f.locks = &locks{}
		s.locks[short] = f.locks
	}
	return f, flags, nil
}

func (s *system) Delete(name string, syncDir bool) error {
	err := s.disk.Remove(filepath.Base(name))
	if errors.Is(err, fs.ErrNotExist) {
		return vfs.SystemError(err, sqlite3.IOERR_DELETE_NOENT)
	}
	if err == nil && syncDir {
		err = vfs.SystemError(s.disk.SyncDir("."), sqlite3.IOERR_DIR_FSYNC)
	}
	return err
}

func (s *system) Access(name string, flags vfs.AccessFlag) (bool, error) {
	if err := s.disk.Check(powercut.Read, filepath.Base(name)); err != nil {
		return false, err
	}
	return s.disk.Bytes(filepath.Base(name)) != nil, nil
}

func (s *system) FullPathname(name string) (string, error) { return name, nil }
