package store_test

import (
	"database/sql"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"octopus/internal/powercut"
	"octopus/server/store"
	"octopus/server/store/storetest"
	"octopus/server/store/storetest/diskvfs"
)

// TestFaults lets the disk fail under each operation of the store, at every step.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		stay bool // all that writes fails from there on, until there is space again
	}{
		"input/output error": {syscall.EIO, false},
		"disk full":          {syscall.ENOSPC, true},
	} {
		if (testing.Short() || raceDetector) && c.stay {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			storetest.Faults(t, diskRig(t, c.err, c.stay), faultSteps())
		})
	}
}

// faultSteps bounds the steps of an operation that fail, but in the long form.
func faultSteps() int {
	if os.Getenv("OCTOPUS_POWERCUTS") != "" {
		return 0
	}
	return 12
}

// writes are what a full disk refuses. SQLite's pages are in the file already when it syncs them.
var writes = map[powercut.Op]bool{powercut.Write: true, powercut.Open: true, powercut.Truncate: true}

func diskRig(t *testing.T, failure error, stay bool) *storetest.Rig {
	d := templateDisk(t)
	var left atomic.Int64 // steps until the failure; negative after it
	var armed atomic.Bool
	fail := func(o powercut.Op, _ string) error {
		if !armed.Load() || stay && !writes[o] {
			return nil
		}
		if n := left.Add(-1); n == -1 || stay && n < 0 {
			return failure
		}
		return nil
	}
	r := &storetest.Rig{}
	r.Arm = func(n int) { left.Store(int64(n)); armed.Store(true) }
	r.Disarm = func() bool { armed.Store(false); return left.Load() < 0 }
	var stop func()
	r.Reopen = func() (*store.Store, *sql.DB) {
		if stop != nil {
			stop()
		}
		d = d.Clone() // a new machine: whatever the old process still does is nothing to it
		d.Fail(fail)
		b := newBoot(t, d, flaw{})
		s, err := b.open(t)
		if err != nil {
			t.Fatal(err)
		}
		db := b.raw(t)
		stop = func() { db.Close(); s.Close(); diskvfs.Unregister(b.vfs) }
		return s, db
	}
	r.Store, r.DB = r.Reopen()
	t.Cleanup(func() { stop() })
	return r
}
