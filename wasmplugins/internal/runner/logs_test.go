package runner

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"octopus/wasmplugins/internal/frame"
)

// sink collects what logs sends.
type sink struct {
	mu     sync.Mutex
	lines  []string
	notes  []string
	frames int
}

func (s *sink) send(kind byte, parts ...[]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames++
	for _, p := range parts {
		if kind == frame.Note {
			s.notes = append(s.notes, string(p))
			continue
		}
		if len(p) > frame.MaxLog {
			return fmt.Errorf("frame of %d bytes", len(p))
		}
		if err := frame.Lines(p, func(_ time.Time, text []byte) { s.lines = append(s.lines, string(text)) }); err != nil {
			return err
		}
	}
	return nil
}

func (s *sink) seen() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.lines)
}

func collect(bytes, rate int, write func(*logs)) (*sink, bool) {
	s := &sink{}
	l := newLogs(s.send)
	l.begin(bytes, rate)
	write(l)
	return s, l.end()
}

func TestLines(t *testing.T) {
	t.Parallel()
	s, cut := collect(1<<20, 1000, func(l *logs) {
		for _, piece := range []string{"one\ntw", "o\r\n", "\n", strings.Repeat("x", maxLine+5), "\nlast"} {
			if n, err := l.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
	})
	want := []string{"one", "two", "", strings.Repeat("x", maxLine), "xxxxx", "last"}
	if strings.Join(s.lines, "|") != strings.Join(want, "|") || cut {
		t.Errorf("lines %.200q, cut %v", s.lines, cut)
	}
}

func TestHeadAndTail(t *testing.T) {
	t.Parallel()
	s, cut := collect(1000, 1e6, func(l *logs) {
		for i := range 1000 {
			_, _ = fmt.Fprintf(l, "line %d\n", i)
		}
	})
	if !cut || s.lines[0] != "line 0" || s.lines[len(s.lines)-1] != "line 999" || len(s.lines) > 60 {
		t.Errorf("%d lines, cut %v: %q", len(s.lines), cut, s.lines)
	}
	told := 0
	for _, line := range s.lines {
		if strings.HasPrefix(line, "…") {
			told++
		}
	}
	if told != 2 {
		t.Errorf("told %d times of what was left out: %q", told, s.lines)
	}
}

// A line is sent soon after it was written, without a call for each of many.
func TestLiveness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &sink{}
		l := newLogs(s.send)
		l.begin(1<<20, 1e6)
		_, _ = l.Write([]byte("first\n"))
		if s.seen() != 1 {
			t.Error("the first line waits")
		}
		for range 100 {
			_, _ = l.Write([]byte("more\n"))
		}
		time.Sleep(2 * flushAfter)
		synctest.Wait()
		if s.seen() != 101 || s.frames != 2 {
			t.Errorf("%d lines in %d frames", s.seen(), s.frames)
		}
		l.end()
	})
}

func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, cut := collect(1<<20, 10, func(l *logs) {
			for range 3 {
				for range 25 {
					_, _ = l.Write([]byte("x\n"))
				}
				time.Sleep(time.Second)
			}
		})
		// Each second: 10 lines, and then one that tells of the other 15.
		if len(s.lines) != 33 || !cut || s.lines[10] != "… 15 lines left out: more than 10 a second" {
			t.Errorf("%d lines, cut %v: %q", len(s.lines), cut, s.lines)
		}
	})
}

func TestNotesAreCoalesced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := collect(1<<20, 1000, func(l *logs) {
			for i := range 500 {
				_, _ = fmt.Fprintf(l, "::octopus:: {\"progress\":%d}\n", i)
				time.Sleep(time.Millisecond)
			}
		})
		if n := len(s.notes); n < 5 || n > 12 || s.notes[n-1] != `{"progress":499}` || len(s.lines) != 0 {
			t.Errorf("notes %q, lines %q", s.notes, s.lines)
		}
	})
}

func TestMemory(t *testing.T) {
	t.Parallel()
	m, err := newMemory(4 << 20)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		guest := m.Allocate(0, 0)
		b := guest.Reallocate(3 << 20)
		for i := range b {
			if b[i] != 0 {
				t.Fatalf("byte %d is not zero", i)
			}
			b[i] = 1
		}
		if guest.Reallocate(5<<20) != nil || !m.refused || m.peak != 3<<20 {
			t.Errorf("more than the limit: refused %v, peak %d", m.refused, m.peak)
		}
		m.reset()
	}
}
