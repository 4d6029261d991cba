package store

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"octopus/internal/octopus"
)

func openTest(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), Options{URL: filepath.Join(t.TempDir(), "octopus.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestPragmas: this driver would use NORMAL in WAL mode; an acknowledged run must survive a power cut.
func TestPragmas(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	want := map[string]string{"synchronous": "2", "journal_mode": "wal", "foreign_keys": "1"}
	for name, value := range want {
		if got, err := one[string](s.reads.row(t.Context(), "PRAGMA "+name)); err != nil || got != value {
			t.Errorf("a reader has %s = %s: %v", name, got, err)
		}
		err := s.write(t.Context(), func(tx *tx) error {
			if got, err := one[string](tx.row(t.Context(), "PRAGMA "+name)); err != nil || got != value {
				t.Errorf("the writer has %s = %s: %v", name, got, err)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if _, err := s.reads.db.Exec("DELETE FROM meta"); err == nil {
		t.Error("a reader can write")
	}
}

// TestNoSpace: a full disk is a sentence, reads go on, and it recovers by itself.
func TestNoSpace(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	limit := func(pages string) {
		if err := s.write(t.Context(), func(tx *tx) error { _, err := tx.exec("PRAGMA max_page_count = " + pages); return err }); err != nil {
			t.Fatal(err)
		}
	}
	limit("150")
	var err error
	for i := 0; err == nil && i < 1000; i++ {
		err = s.SaveBlob(t.Context(), itoa(i), make([]byte, 64<<10))
	}
	if octopus.CodeOf(err) != octopus.CodeNoSpace {
		t.Fatalf("error %v", err)
	}
	if h, err := s.Health(t.Context()); err != nil || !h.NoSpace {
		t.Fatalf("health %+v: %v", h, err)
	}
	if _, err := s.Blob(t.Context(), "0"); err != nil {
		t.Fatal(err)
	}
	limit("100000")
	if err := s.SaveBlob(t.Context(), "after", make([]byte, 64<<10)); err != nil {
		t.Fatal(err)
	}
	if h, err := s.Health(t.Context()); err != nil || h.NoSpace {
		t.Fatalf("health %+v: %v", h, err)
	}
}

// TestCancelledCall: a caller that gave up before its operation began writes nothing.
func TestCancelledCall(t *testing.T) {
	t.Parallel()
	s := openTest(t)
	hold, held := make(chan struct{}), make(chan struct{})
	go s.write(context.Background(), func(*tx) error { close(held); <-hold; return nil })
	<-held
	ctx, cancel := context.WithCancel(t.Context())
	ran := false
	op := &operation{ctx: ctx, run: func(*tx) error { ran = true; return nil }, done: make(chan struct{})}
	if err := s.writer.send(op); err != nil {
		t.Fatal(err)
	}
	cancel()
	close(hold)
	<-op.done
	if op.err == nil || ran {
		t.Fatalf("a cancelled operation ran: %v", op.err)
	}
}

func TestRebind(t *testing.T) {
	t.Parallel()
	if got := postgres.rebind("a = ? AND b IN (?, ?)"); got != "a = $1 AND b IN ($2, $3)" {
		t.Error(got)
	}
	if got := sqlite.rebind("a = ?"); got != "a = ?" {
		t.Error(got)
	}
}

func TestUlidTime(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_700_000_000_123)
	if id := octopus.NewID("", at); id[:10] < ulidTime(at) { // identifiers only grow: it may be later, never earlier
		t.Errorf("%s is before %s", id, ulidTime(at))
	}
	if a, b := ulidTime(at), ulidTime(at.Add(time.Millisecond)); a >= b {
		t.Errorf("%s is not before %s", a, b)
	}
}

func TestChunkCodec(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]byte{nil, {0, 1}, {0, 2, 9, 'x'}, {1, 0xff}, {0, 0x80}} {
		if lines, err := unpackLines(bad); err == nil {
			t.Errorf("% x was read as %v", bad, lines)
		}
	}
}
