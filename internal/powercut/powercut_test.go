package powercut

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"slices"
	"syscall"
	"testing"

	"octopus/internal/disk"
)

var _ disk.Folder = &Disk{}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, d *Disk, name string) disk.File {
	t.Helper()
	f, err := d.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	ok(t, err)
	return f
}

func write(t *testing.T, f disk.File, off int64, text string) {
	t.Helper()
	_, err := f.WriteAt([]byte(text), off)
	ok(t, err)
}

// outcomes are the contents of a file after many cuts at the end of the log; "-" where it is gone.
func outcomes(d *Disk, name string) map[string]bool {
	found := map[string]bool{}
	for seed := range uint64(300) {
		data := d.Cut(d.Len(), seed).Bytes(name)
		if data == nil {
			found["-"] = true
			continue
		}
		found[string(data)] = true
	}
	return found
}

func TestSyncedSurvives(t *testing.T) {
	t.Parallel()
	d := New()
	f := open(t, d, "a")
	write(t, f, 0, "one")
	ok(t, f.Sync())
	if found := outcomes(d, "a"); !found["-"] || !found["one"] || len(found) != 2 {
		t.Errorf("a synced file without a synced name: %v", found)
	}
	ok(t, d.SyncDir("."))
	if found := outcomes(d, "a"); !found["one"] || len(found) != 1 {
		t.Errorf("a synced file with a synced name: %v", found)
	}
	ok(t, d.Remove("a"))
	if found := outcomes(d, "a"); !found["one"] || !found["-"] {
		t.Errorf("a file that was removed, not for sure: %v", found)
	}
	ok(t, d.SyncDir("."))
	if found := outcomes(d, "a"); !found["-"] || len(found) != 1 {
		t.Errorf("a file that was removed for sure: %v", found)
	}
}

// TestTorn: of writes that were not synced any part arrives, in any order, and what lies beside them stays.
func TestTorn(t *testing.T) {
	t.Parallel()
	d := New()
	d.Put("a", bytes.Repeat([]byte("."), 3*4096))
	f := open(t, d, "a")
	write(t, f, 100, string(bytes.Repeat([]byte("1"), 4096)))
	write(t, f, 8192, string(bytes.Repeat([]byte("2"), 100)))
	write(t, f, 3*4096, "grown")
	var whole, nothing, torn, second, grown int
	for seed := range uint64(300) {
		data := d.Cut(d.Len(), seed).Bytes("a")
		ones, twos := bytes.Count(data, []byte("1")), bytes.Count(data[:3*4096], []byte("2"))
		switch {
		case ones == 4096:
			whole++
		case ones == 0 && twos == 100:
			second++
		case ones == 0:
			nothing++
		default:
			torn++
		}
		if len(data) > 3*4096 {
			grown++
		}
		if !bytes.Equal(data[:100], bytes.Repeat([]byte("."), 100)) || data[8191] != '.' || data[8192+100] != '.' {
			t.Fatalf("seed %d: what lies beside a write was changed", seed)
		}
	}
	if whole == 0 || nothing == 0 || torn == 0 || second == 0 || grown == 0 {
		t.Errorf("%d whole, %d nothing, %d torn, %d the second only, %d grown", whole, nothing, torn, second, grown)
	}
}

// TestRename: the name says one file or the other, never none and never a mix; names are lost in their order.
func TestRename(t *testing.T) {
	t.Parallel()
	d := New()
	d.Put("a", []byte("old"))
	f := open(t, d, "a.new")
	write(t, f, 0, "new")
	ok(t, f.Sync())
	ok(t, d.Rename("a.new", "a"))
	open(t, d, "later")
	if found := outcomes(d, "a"); !found["old"] || !found["new"] || len(found) != 2 {
		t.Errorf("%v", found)
	}
	for seed := range uint64(300) {
		after := d.Cut(d.Len(), seed)
		if after.Bytes("later") != nil && string(after.Bytes("a")) != "new" {
			t.Fatal("a later name is there and the rename before it is not")
		}
	}
}

// TestFolders: a file is lost with the name of its folder, whatever was synced in it.
func TestFolders(t *testing.T) {
	t.Parallel()
	d := New()
	ok(t, d.MkdirAll("x/y", 0o700))
	f := open(t, d, "x/y/a")
	write(t, f, 0, "one")
	ok(t, f.Sync())
	ok(t, d.SyncDir("x/y"))
	ok(t, d.SyncDir("x"))
	if found := outcomes(d, "x/y/a"); !found["-"] {
		t.Errorf("the folder's own name was not synced: %v", found)
	}
	ok(t, d.Rename("x/y/a", "b"))
	ok(t, d.SyncDir("."))
	if found := outcomes(d, "b"); !found["one"] || len(found) != 1 {
		t.Errorf("moved and synced: %v", found)
	}
}

// TestFailedSync: what a failed sync dropped is gone, though the next one succeeds.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	d := New()
	d.Put("a", []byte("old"))
	f := open(t, d, "a")
	write(t, f, 0, "new")
	d.Fail(func(o Op, _ string) error {
		if o == Sync {
			return syscall.EIO
		}
		return nil
	})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Fatalf("sync: %v", err)
	}
	d.Fail(nil)
	ok(t, f.Sync())
	if string(d.Bytes("a")) != "new" {
		t.Error("programs still see it")
	}
	if found := outcomes(d, "a"); !found["old"] {
		t.Errorf("%v", found)
	}
}

// TestLikeTheSystem: operations and their errors are as those of a folder of the operating system.
func TestLikeTheSystem(t *testing.T) {
	t.Parallel()
	opened, err := os.OpenRoot(t.TempDir())
	ok(t, err)
	defer opened.Close()
	for name, folder := range map[string]disk.Folder{"disk": New(), "system": disk.Root(opened)} {
		is := func(what string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s: %s: %v, want %v", name, what, err, want)
			}
		}
		_, err := folder.OpenFile("none", os.O_RDWR, 0)
		is("open what is not there", err, fs.ErrNotExist)
		_, err = folder.OpenFile("none/a", os.O_RDWR|os.O_CREATE, 0o600)
		is("make in what is not there", err, fs.ErrNotExist)
		_, err = folder.ReadDir("none")
		is("read what is not there", err, fs.ErrNotExist)
		is("remove what is not there", folder.Remove("none"), fs.ErrNotExist)
		is("rename what is not there", folder.Rename("none", "b"), fs.ErrNotExist)
		ok(t, folder.MkdirAll("x/y", 0o700))
		ok(t, disk.WriteFile(folder, "x/y/a", []byte("hello")))
		_, err = folder.OpenFile("x/y/a", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		is("make what is there", err, fs.ErrExist)
		is("remove a full folder", folder.Remove("x/y"), syscall.ENOTEMPTY)
		ok(t, folder.Rename("x/y/a", "x/b"))
		ok(t, folder.SyncDir("x"))
		data, err := disk.ReadFile(folder, "x/b")
		ok(t, err)
		entries, err := folder.ReadDir("x")
		ok(t, err)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		if string(data) != "hello" || !slices.Equal(names, []string{"b", "y"}) || entries[0].IsDir() || !entries[1].IsDir() {
			t.Errorf("%s: %q, %v", name, data, names)
		}
		ok(t, disk.RemoveAll(folder, "x"))
		ok(t, disk.RemoveAll(folder, "x"))
		f, err := folder.OpenFile("c", os.O_RDWR|os.O_CREATE, 0o600)
		ok(t, err)
		write(t, f, 0, "abcdef")
		ok(t, f.Truncate(2))
		write(t, f, 4, "x")
		ok(t, f.Close())
		if data, err := disk.ReadFile(folder, "c"); string(data) != "ab\x00\x00x" {
			t.Errorf("%s: %q %v", name, data, err)
		}
	}
}
