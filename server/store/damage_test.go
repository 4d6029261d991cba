package store_test

import (
	"database/sql"
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"octopus/server/store"
)

func metaKey(i int) string { return fmt.Sprintf("setting %05d", i) }

// fillMeta gives the table of settings a few hundred pages.
func fillMeta(t *testing.T, s *store.Store) {
	t.Helper()
	value := fmt.Sprintf("%0300d", 7)
	const n = 3000
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- s.SetMeta(t.Context(), metaKey(i), value) }()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
}

// pageSize is SQLite's default, which every database of ours has.
const pageSize = 4096

// damagePages overwrites half of the leaves that a table has, as a disk that forgets would.
func damagePages(t *testing.T, path, table string) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var root uint32
	if err := db.QueryRow("SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?", table).Scan(&root); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	found := leaves(t, f, root)
	if len(found) < 20 {
		t.Fatalf("%s has %d leaves", table, len(found))
	}
	junk := make([]byte, pageSize)
	for i := range junk {
		junk[i] = byte(i*7 + 3)
	}
	for i, page := range found {
		if i%2 == 1 {
			if _, err := f.WriteAt(junk, int64(page-1)*pageSize); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// leaves walks a table's b-tree, as https://sqlite.org/fileformat2.html#b_tree_pages describes it, in the order of
// its rows. The root of none of our tables is page 1, which begins with the file's header.
func leaves(t *testing.T, f *os.File, page uint32) []uint32 {
	t.Helper()
	b := make([]byte, pageSize)
	if _, err := f.ReadAt(b, int64(page-1)*pageSize); err != nil {
		t.Fatal(err)
	}
	const interior, leaf = 0x05, 0x0d
	switch b[0] {
	case leaf:
		return []uint32{page}
	case interior:
		var all []uint32
		for cell := range int(binary.BigEndian.Uint16(b[3:])) {
			at := binary.BigEndian.Uint16(b[12+2*cell:])
			all = append(all, leaves(t, f, binary.BigEndian.Uint32(b[at:]))...)
		}
		return append(all, leaves(t, f, binary.BigEndian.Uint32(b[8:]))...)
	}
	t.Fatalf("page %d begins with %#x: it is no page of a table", page, b[0])
	return nil
}
