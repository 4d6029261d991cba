package spool

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"octopus/internal/powercut"
	"octopus/internal/wire"
)

// writeLogs writes lines of several executions, acknowledging some, and returns all that was written.
func writeLogs(t *testing.T, d *powercut.Disk, seed uint64) map[string]bool {
	said := map[string]bool{}
	rng := rand.New(rand.NewPCG(seed, 0))
	s, err := Open(d, 0, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s.Connected(func(*wire.Log) bool { return true })
	for n := range 4 {
		l := s.Begin(fmt.Sprintf("exe_%d", n), 1, 1)
		for i := range 60 {
			for part := range 6 { // a chunk or so, so that the file begins anew now and then
				line := fmt.Sprintf("%d.%d.%d %s", n, i, part, strings.Repeat(string(rune('a'+i%26)), rng.IntN(8000)))
				said[line] = true
				l.Write([]Line{{At: time.Now(), Text: line}})
			}
			if rng.IntN(3) > 0 {
				s.mu.Lock()
				seq := l.seq
				s.mu.Unlock()
				s.Ack(l.execution, seq)
			}
		}
		if n%2 == 0 {
			l.Close()
		}
	}
	s.Close()
	return said
}

// TestPowerCut: log lines are not synced, so that a power cut may lose the last ones; but what an agent sends when
// it is back is what was written, in its order.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	const perHistory = 10
	left := perHistory
	if n, err := strconv.Atoi(os.Getenv("OCTOPUS_POWERCUTS")); err == nil {
		left = n
	}
	total, sent := left, 0
	for seed := uint64(1); left > 0; seed++ {
		d := powercut.New()
		said := writeLogs(t, d, seed)
		rng := rand.New(rand.NewPCG(seed, 1))
		for range min(left, perHistory) {
			left--
			at := rng.IntN(d.Len() + 1)
			s, err := Open(d.Cut(at, rng.Uint64()), 0, time.Now)
			if err != nil {
				t.Fatalf("cut at %d: %v", at, err)
			}
			s.Connected(func(m *wire.Log) bool {
				sent++
				for _, line := range m.Lines {
					if !said[line.Text] || !strings.HasPrefix(line.Text, strings.TrimPrefix(m.Execution, "exe_")+".") {
						t.Errorf("history %d, cut at %d: chunk %d of %s says %.60q…, which nobody wrote", seed, at, m.Seq, m.Execution, line.Text)
					}
				}
				return true
			})
			s.Close()
		}
	}
	t.Logf("%d power cuts; %d chunks were sent again, each as it was written", total, sent)
}
