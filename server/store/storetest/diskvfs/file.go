package diskvfs

import (
	"sync"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"octopus/internal/disk"
	"octopus/internal/powercut"
)

// file is one open file. SQLite uses it from one goroutine at a time.
type file struct {
	disk.File
	system   *system
	name     string
	readOnly bool
	shm      vfs.SharedMemory
	locks    *locks
	lock     vfs.LockLevel // held through this file
}

var (
	_ vfs.FileSharedMemory = &file{}
	_ vfs.FileLockState    = &file{}
)

func (f *file) SharedMemory() vfs.SharedMemory { return f.shm }
func (f *file) LockState() vfs.LockLevel       { return f.lock }
func (f *file) Sync(vfs.SyncFlag) error        { return f.File.Sync() }
func (f *file) SectorSize() int                { return 4096 }

func (f *file) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func (f *file) DeviceCharacteristics() vfs.DeviceCharacteristic {
	return vfs.IOCAP_POWERSAFE_OVERWRITE | vfs.IOCAP_SUBPAGE_READ
}

func (f *file) Close() error {
	if f.shm != nil {
		f.shm.Close()
	}
	f.unlock(vfs.LOCK_NONE)
	return f.File.Close()
}

// locks are those on one file (https://sqlite.org/lockingv3.html).
type locks struct {
	mu       sync.Mutex
	shared   int  // guarded by mu
	reserved bool // guarded by mu
	pending  bool // guarded by mu
}

func (f *file) Lock(want vfs.LockLevel) error {
	if err := f.system.disk.Check(powercut.Lock, f.name); err != nil {
		return err
	}
	if f.lock >= want {
		return nil
	}
	if f.readOnly && want >= vfs.LOCK_RESERVED {
		return sqlite3.IOERR_LOCK
	}
	l := f.locks
	l.mu.Lock()
	defer l.mu.Unlock()
	switch want {
	case vfs.LOCK_SHARED:
		if l.pending {
			return sqlite3.BUSY
		}
		l.shared++
	case vfs.LOCK_RESERVED:
		if l.reserved {
			return sqlite3.BUSY
		}
		l.reserved = true
	case vfs.LOCK_EXCLUSIVE:
		if l.pending && f.lock < vfs.LOCK_PENDING {
			return sqlite3.BUSY
		}
		if f.lock == vfs.LOCK_RESERVED { // later readers wait
			l.pending, f.lock = true, vfs.LOCK_PENDING
		}
		if l.shared > 1 {
			return sqlite3.BUSY
		}
		l.pending = true
	}
	f.lock = want
	return nil
}

func (f *file) Unlock(to vfs.LockLevel) error {
	f.unlock(to)
	return nil
}

func (f *file) unlock(to vfs.LockLevel) {
	if f.lock <= to {
		return
	}
	l := f.locks
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.lock >= vfs.LOCK_RESERVED {
		l.reserved = false
	}
	if f.lock >= vfs.LOCK_PENDING {
		l.pending = false
	}
	if to == vfs.LOCK_NONE {
		l.shared--
	}
	f.lock = to
}

func (f *file) CheckReservedLock() (bool, error) {
	f.locks.mu.Lock()
	defer f.locks.mu.Unlock()
	return f.locks.reserved, nil
}
