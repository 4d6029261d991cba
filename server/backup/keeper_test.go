package backup_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"octopus/internal/octopus"
	"octopus/server/backup"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

func keep(t *testing.T, c backup.Config) *backup.Keeper {
	k := backup.NewKeeper(c)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { k.Run(ctx) })
	t.Cleanup(func() { stop(); wg.Wait() })
	return k
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline, look := time.After(2*time.Minute), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for !done() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestKeeper(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "backups")
	k := keep(t, backup.Config{Store: open(t, storetest.SQLite(t)), Folder: folder, Version: "1"})
	if list := k.List(); len(list) != 0 {
		t.Fatalf("%+v", list)
	}
	b, err := k.Begin()
	ok(t, err)
	if _, err := k.Begin(); err != nil {
		refused(t, err, octopus.CodeConflict, "is being made")
	}
	until(t, "it is ready", func() bool {
		b, err = k.Get(b.Name)
		ok(t, err)
		return b.State == backup.Ready
	})
	f, _, err := k.Open(b.Name)
	ok(t, err)
	info, _ := f.Stat()
	f.Close()
	if info.Size() != b.Bytes || b.SHA256 == "" {
		t.Errorf("%+v of %d bytes", b, info.Size())
	}
	_, _, err = k.Open("../../etc/passwd")
	refused(t, err, octopus.CodeNotFound, "There is no backup")
	ok(t, k.Remove(b.Name))
	if left, _ := os.ReadDir(folder); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestKeeperFails says why, and tries again.
func TestKeeperFails(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	ok(t, os.WriteFile(file, nil, 0o600))
	k := keep(t, backup.Config{Store: open(t, storetest.SQLite(t)), Folder: filepath.Join(file, "backups")})
	b, err := k.Begin()
	ok(t, err)
	until(t, "it has failed", func() bool { b, err = k.Get(b.Name); ok(t, err); return b.State == backup.Failed })
	refused(t, b.Err, octopus.CodeDenied, "cannot be made")
	ok(t, os.Remove(file))
	again, err := k.Begin()
	ok(t, err)
	until(t, "it is ready", func() bool { b, err = k.Get(again.Name); ok(t, err); return b.State == backup.Ready })
}

// TestByItself makes one each day and keeps three, beside what people asked for.
func TestByItself(t *testing.T) {
	t.Parallel()
	path, folder := storetest.SQLite(t), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), store.Options{URL: path})
		ok(t, err)
		defer s.Close()
		k := backup.NewKeeper(backup.Config{Store: s, Folder: folder, Every: 24 * time.Hour, Keep: 3})
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { k.Run(ctx) })
		defer func() { stop(); wg.Wait() }()
		time.Sleep(time.Hour)
		if list := k.List(); len(list) != 1 || !strings.HasSuffix(list[0].Name, "-auto.db") {
			t.Fatalf("after an hour: %+v", list)
		}
		mine, err := k.Begin()
		ok(t, err)
		time.Sleep(6 * 24 * time.Hour)
		list := k.List()
		if len(list) != 4 || list[3].Name != mine.Name || list[0].CreatedAt.Sub(list[1].CreatedAt) < 24*time.Hour {
			t.Fatalf("after a week: %+v", list)
		}
	})
}
