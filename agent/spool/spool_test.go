package spool

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"octopus/internal/disk"
	"octopus/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server collects chunks.
type server struct {
	mu     sync.Mutex
	chunks []*wire.Log
	busy   bool
	came   chan struct{}
}

func newServer() *server { return &server{came: make(chan struct{}, 10_000)} }

func (s *server) take(m *wire.Log) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		return false
	}
	s.chunks = append(s.chunks, m)
	s.came <- struct{}{}
	return true
}

func (s *server) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, c := range s.chunks {
		for _, l := range c.Lines {
			out = append(out, l.Text)
		}
	}
	return strings.Join(out, "|")
}

func (s *server) seqs() (out []int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.chunks {
		out = append(out, c.Seq)
	}
	return out
}

func newSpool(t *testing.T, dir string, max int64) *Spool {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(disk.Root(root), max, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		root.Close()
	})
	return s
}

func lines(texts ...string) (out []Line) {
	for _, text := range texts {
		out = append(out, Line{time.Now(), text})
	}
	return out
}

func files(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestFirstLineAtOnceOthersSoon(t *testing.T) {
	t.Parallel()
	s, srv := newSpool(t, t.TempDir(), 0), newServer()
	s.Connected(srv.take)
	l := s.Begin("exe_1", 1, 1)
	l.Write(lines("one"))
	if srv.text() != "one" {
		t.Fatalf("the first line waits: %q", srv.text())
	}
	<-srv.came
	start := time.Now()
	l.Write(lines("two"))
	l.Write(lines("three"))
	<-srv.came
	if took := time.Since(start); took < 50*time.Millisecond || srv.text() != "one|two|three" {
		t.Errorf("after %v: %q", took, srv.text())
	}
	l.Write(lines("four"))
	if last, n := l.Close(); last != 3 || srv.text() != "one|two|three|four" || n != int64(len("one two three four ")) {
		t.Errorf("last %d, %d bytes, %q", last, n, srv.text())
	}
}

func TestResentUntilAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, first := newSpool(t, dir, 0), newServer()
	l := s.Begin("exe_1", 1, 7)
	l.Write(lines("a")) // not connected yet
	s.Connected(first.take)
	l.Write(lines("b"))
	l.Close()
	s.Ack("exe_1", 1)
	s.Disconnected()
	second := newServer()
	s.Connected(second.take)
	if first.text() != "a|b" || second.text() != "b" {
		t.Errorf("first %q, then %q", first.text(), second.text())
	}
	s.Ack("exe_1", 2)
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

func TestSurvivesTheProcess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSpool(t, dir, 0)
	l := s.Begin("exe_1", 3, 7)
	l.Write(lines("a", "b"))
	l.Write(lines("c"))
	l.Close()
	file := dir + "/exe_1.7.log"
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(raw, `{"seq":99,"lin`...), 0o600); err != nil { // torn
		t.Fatal(err)
	}
	again, srv := newSpool(t, dir, 0), newServer()
	again.Connected(srv.take)
	if srv.text() != "a|b|c" || !slices.Equal(srv.seqs(), []int64{2_000_001, 2_000_002}) || srv.chunks[0].Attempt != 3 || srv.chunks[0].Fence != 7 {
		t.Errorf("%q %v %+v", srv.text(), srv.seqs(), srv.chunks)
	}
	again.Ack("exe_1", 2_000_002)
	if n := files(t, dir); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// Whatever a guest writes, every frame is one that the server takes.
func TestFramesFit(t *testing.T) {
	t.Parallel()
	s := newSpool(t, t.TempDir(), 0)
	frames := 0
	s.Connected(func(m *wire.Log) bool {
		frame, err := wire.Encode(m)
		if err != nil || len(frame) > wire.MaxLog {
			t.Errorf("a frame of %d bytes: %v", len(frame), err)
		}
		if _, err := wire.Decode(frame); err != nil {
			t.Error(err)
		}
		frames++
		return true
	})
	for i, text := range []string{
		strings.Repeat("x", 300_000), strings.Repeat("<", 100_000), strings.Repeat("\x01", 100_000), strings.Repeat("\xff", 100_000),
		strings.Repeat("ü", 100_000), strings.Repeat("\u2028", 50_000), strings.Repeat("\n", 30_000), strings.Repeat("a\n", 40_000), strings.Repeat(`"\`, 50_000),
	} {
		id := fmt.Sprintf("exe_%d", i)
		l := s.Begin(id, 1, 1)
		l.Write(lines(text))
		last, _ := l.Close()
		s.Ack(id, last)
	}
	if frames < 20 {
		t.Errorf("only %d frames", frames)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	s, srv := newSpool(t, t.TempDir(), 0), newServer()
	s.Connected(srv.take)
	l := s.Begin("exe_1", 1, 1)
	for range 40 {
		l.Write(lines(strings.Repeat("x", 8000), strings.Repeat("x", 8000), strings.Repeat("x", 8000), strings.Repeat("x", 8000)))
	}
	last, _ := l.Close()
	if n := len(srv.seqs()); n < 4 || n > 8 {
		t.Errorf("%d chunks were sent without an acknowledgement", n)
	}
	srv.busy = true
	s.Ack("exe_1", 2)
	srv.busy = false
	s.Pump()
	for len(srv.seqs()) < int(last) {
		before := len(srv.seqs())
		s.Ack("exe_1", srv.seqs()[before-1])
		if len(srv.seqs()) == before {
			t.Fatalf("stuck after %d of %d chunks", before, last)
		}
	}
	if !slices.IsSorted(srv.seqs()) {
		t.Errorf("out of order: %v", srv.seqs())
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	s, srv := newSpool(t, t.TempDir(), 100_000), newServer()
	old := s.Begin("exe_1", 1, 1)
	old.Write(lines(strings.Repeat("x", 40_000)))
	old.Close()
	l := s.Begin("exe_2", 1, 1)
	for i := range 30 {
		l.Write(lines(fmt.Sprintf("%02d%s", i, strings.Repeat("y", 7000))))
		l.flushLate()
	}
	if !s.Full() && s.bytes < 90_000 {
		t.Errorf("%d bytes", s.bytes)
	}
	s.Connected(srv.take)
	if strings.Contains(srv.text(), "x") {
		t.Error("what an ended execution left was kept, and a running one's lines dropped")
	}
	for _, seq := range srv.seqs() {
		s.Ack("exe_2", seq)
	}
	l.Write(lines("end"))
	l.Close()
	if !strings.Contains(srv.text(), "lines are missing here") || !strings.HasSuffix(srv.text(), "end") {
		t.Errorf("nobody says that lines are missing: …%s", srv.text()[max(0, len(srv.text())-200):])
	}
}
