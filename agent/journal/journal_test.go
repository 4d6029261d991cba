package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"octopus/internal/disk"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func root(t testing.TB, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func open(t *testing.T, path string) (*Journal, []Entry) {
	t.Helper()
	j, entries, err := Open(disk.Root(root(t, filepath.Dir(path))), filepath.Base(path), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j, entries
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func offer(n int) *wire.Offer {
	return &wire.Offer{Execution: fmt.Sprintf("exe_%d", n), Fence: int64(n), Attempt: 1, Plugin: "noop"}
}

func result(n int) *wire.Result {
	return &wire.Result{Execution: fmt.Sprintf("exe_%d", n), Fence: int64(n), Attempt: 2, Outcome: octopus.Succeeded, Response: []byte(`{"status_code":200}`)}
}

func key(n int) Key { return Key{fmt.Sprintf("exe_%d", n), int64(n)} }

// fill writes four executions: accepted, started, done and closed.
func fill(t *testing.T, j *Journal) {
	t.Helper()
	for n := 1; n <= 4; n++ {
		ok(t, j.Accepted(offer(n)))
	}
	for n := 2; n <= 4; n++ {
		ok(t, j.Started(key(n), 2))
	}
	ok(t, j.Result(result(3)))
	ok(t, j.Result(result(4)))
	ok(t, j.Closed(key(4)))
}

func check(t *testing.T, entries []Entry) {
	t.Helper()
	if len(entries) != 3 {
		t.Fatalf("%d entries: %+v", len(entries), entries)
	}
	for i, e := range entries {
		if e.Offer.Execution != offer(i+1).Execution || e.Offer.Plugin != "noop" {
			t.Errorf("entry %d is of %+v", i, e.Offer)
		}
	}
	if entries[0].Started || !entries[1].Started || entries[1].Attempt != 2 || entries[1].Result != nil {
		t.Errorf("entries: %+v", entries)
	}
	if r := entries[2].Result; r == nil || r.Outcome != octopus.Succeeded || string(r.Response) != `{"status_code":200}` {
		t.Errorf("the result is %+v", r)
	}
}

func TestReopen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j, entries := open(t, path)
	if len(entries) != 0 || j.ID() == "" {
		t.Fatalf("a new journal has id %q and %d entries", j.ID(), len(entries))
	}
	fill(t, j)
	ok(t, j.Close())
	again, entries := open(t, path)
	check(t, entries)
	if again.ID() != j.ID() {
		t.Error("the id changed")
	}
	ok(t, again.Closed(key(1)))
	ok(t, again.Close())
	if _, entries = open(t, path); len(entries) != 2 {
		t.Errorf("after a close: %+v", entries)
	}
}

// Cut anywhere within the last record, the journal loses that record and nothing else.
func TestTornTail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j, _ := open(t, filepath.Join(dir, "journal"))
	fill(t, j)
	before, _ := j.Bytes()
	ok(t, j.Accepted(offer(9)))
	ok(t, j.Close())
	whole, err := os.ReadFile(filepath.Join(dir, "journal"))
	ok(t, err)
	for cut := int(before); cut < len(whole); cut += 3 {
		for _, tail := range [][]byte{nil, {0}, bytes.Repeat([]byte{0xff}, 40), make([]byte, 4096)} {
			path := filepath.Join(dir, fmt.Sprintf("cut-%d-%d", cut, len(tail)))
			ok(t, os.WriteFile(path, append(slices.Clone(whole[:cut]), tail...), 0o600))
			torn, entries := open(t, path)
			check(t, entries)
			if torn.ID() != j.ID() {
				t.Fatalf("cut at %d: the id changed", cut)
			}
			ok(t, torn.Accepted(offer(7)))
			ok(t, torn.Close())
			if _, entries = open(t, path); len(entries) != 4 {
				t.Fatalf("cut at %d: what was written after it is lost: %+v", cut, entries)
			}
		}
	}
}

// A journal that is damaged before its tail becomes another one: its id says that absence proves nothing.
func TestDamaged(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func([]byte) []byte{
		"not a journal": func([]byte) []byte { return []byte("hello, this is some text") },
		"header":        func(b []byte) []byte { b[10] ^= 1; return b },
		"middle":        func(b []byte) []byte { b[len(b)/2] ^= 1; return append(b, make([]byte, maxBody+100)...) },
	} {
		path := filepath.Join(t.TempDir(), "journal")
		j, _ := open(t, path)
		fill(t, j)
		ok(t, j.Close())
		raw, err := os.ReadFile(path)
		ok(t, err)
		ok(t, os.WriteFile(path, damage(raw), 0o600))
		again, _ := open(t, path)
		if again.ID() == j.ID() {
			t.Errorf("%s: the id stayed", name)
		}
		if _, err := os.Stat(path + ".damaged"); err != nil {
			t.Errorf("%s: the old file is gone: %v", name, err)
		}
		ok(t, again.Accepted(offer(1)))
	}
}

func TestCompaction(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j, _ := open(t, path)
	fill(t, j)
	big := offer(50)
	big.Params = []byte(`"` + string(bytes.Repeat([]byte("x"), 20_000)) + `"`)
	for n := range 500 {
		big.Execution = fmt.Sprintf("exe_big%d", n)
		ok(t, j.Accepted(big))
		ok(t, j.Started(Key{big.Execution, big.Fence}, 1))
		ok(t, j.Closed(Key{big.Execution, big.Fence}))
	}
	if size, alive := j.Bytes(); size > 2*compactAbove || alive > 10_000 {
		t.Errorf("the file has %d bytes, %d of them alive", size, alive)
	}
	ok(t, j.Close())
	again, entries := open(t, path)
	check(t, entries)
	if again.ID() != j.ID() {
		t.Error("compaction changed the id")
	}
}

func TestEmptyJournalShrinks(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j, _ := open(t, path)
	big := offer(1)
	big.Params = []byte(`"` + string(bytes.Repeat([]byte("x"), 600_000)) + `"`)
	for range 3 {
		ok(t, j.Accepted(big))
		ok(t, j.Closed(key(1)))
	}
	if size, alive := j.Bytes(); size > compactAbove || alive != 0 {
		t.Errorf("%d bytes, %d alive", size, alive)
	}
	ok(t, j.Accepted(offer(2)))
	ok(t, j.Close())
	if _, entries := open(t, path); len(entries) != 1 {
		t.Errorf("entries: %+v", entries)
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	j, _, err := Open(disk.Root(root(t, t.TempDir())), "journal", resultsReserve+2000)
	ok(t, err)
	t.Cleanup(func() { j.Close() })
	n := 0
	for ; err == nil; n++ {
		err = j.Accepted(offer(n))
	}
	if !errors.Is(err, ErrFull) || n < 3 {
		t.Fatalf("after %d accepts: %v", n, err)
	}
	ok(t, j.Started(key(0), 1))
	ok(t, j.Result(result(0))) // results always find room
	for i := range n {
		ok(t, j.Closed(key(i)))
	}
	ok(t, j.Accepted(offer(1)))
}

// Starts share their syncs, and none returns before its record is written.
func TestSharedSyncs(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j, _ := open(t, path)
	var wg sync.WaitGroup
	for n := range 50 {
		wg.Go(func() {
			if err := j.Accepted(offer(n)); err != nil {
				t.Error(err)
			}
			if err := j.Started(key(n), 1); err != nil {
				t.Error(err)
			}
			if n%2 == 0 {
				if err := j.Closed(key(n)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	ok(t, j.Close())
	_, entries := open(t, path)
	if len(entries) != 25 {
		t.Errorf("%d entries", len(entries))
	}
	for _, e := range entries {
		if !e.Started {
			t.Errorf("%+v", e)
		}
	}
}

func BenchmarkStarted(b *testing.B) {
	j, _, err := Open(disk.Root(root(b, b.TempDir())), "journal", 0)
	if err != nil {
		b.Fatal(err)
	}
	defer j.Close()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := j.Started(key(1), 1); err != nil {
				b.Error(err)
			}
			j.Closed(key(1))
		}
	})
}

// FuzzScan: whatever the file holds, it is read without a panic, and what was good stays good.
func FuzzScan(f *testing.F) {
	header := encode(kindHeader, []byte(`{"id":"abc"}`))
	f.Add([]byte{})
	f.Add(header)
	f.Add(append(slices.Clone(header), encode(kindAccepted, []byte(`{"execution":"exe_1","fence":1}`))...))
	f.Add(append(slices.Clone(header), encode(kindStarted, []byte(`{"e":"exe_1","f":1,"a":2}`))...))
	f.Add(append(slices.Clone(header), encode(kindResult, []byte(`{"execution":"exe_1","fence":1,"outcome":"failed"}`))...))
	f.Add(append(slices.Clone(header), encode(kindClosed, []byte(`{"e":"exe_1","f":1}`))...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		j := &Journal{lives: map[Key]*live{}}
		entries, good, _ := j.scan(bufio.NewReader(bytes.NewReader(raw)))
		if good > int64(len(raw)) {
			t.Fatalf("%d good bytes of %d", good, len(raw))
		}
		again := &Journal{lives: map[Key]*live{}}
		same, n, err := again.scan(bufio.NewReader(bytes.NewReader(raw[:good])))
		if err != nil || n != good || len(same) != len(entries) || again.id != j.id {
			t.Fatalf("what was good is not: %v, %d of %d, %d of %d entries", err, n, good, len(same), len(entries))
		}
		for _, e := range entries {
			if e.Offer == nil {
				t.Fatal("an entry without an offer")
			}
		}
	})
}

// TestRead looks at a journal's file from outside, its torn tail included.
func TestRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal")
	j, _ := open(t, path)
	fill(t, j)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	ok(t, err)
	_, err = file.Write([]byte{9, 0, 0, 0, 1, 2})
	ok(t, err)
	file.Close()
	records, err := Read(path)
	ok(t, err)
	kinds := make(map[string]int)
	for _, r := range records {
		kinds[r.Kind]++
		if r.Kind == "result" && (r.Result == nil || r.Result.Outcome != octopus.Succeeded || r.Attempt != 2) {
			t.Errorf("%+v", r)
		}
	}
	if kinds["accepted"] != 4 || kinds["started"] != 3 || kinds["result"] != 2 || kinds["closed"] != 1 {
		t.Errorf("read %v", kinds)
	}
	if records[0].Key != key(1) {
		t.Errorf("the oldest is %+v", records[0])
	}
}
