package web

import (
	"bufio"
	"bytes"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/stall"
)

// TestSlowBrowserIsBoundedInBytes: what waits for one browser is at most clientHeap, or one batch.
func TestSlowBrowserIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	l := newLive(New(Config{}))
	sub, _ := subscribe(map[string][]string{"topics": {"feed"}})
	give := func(c *client, size int) (dropped bool) {
		l.mu.Lock()
		l.give(c.group, c, bytes.Repeat([]byte("x"), size))
		l.mu.Unlock()
		select {
		case <-c.kicked:
			return true
		default:
			return false
		}
	}
	c := l.join(sub, l.cursor())
	if give(c, 2*clientHeap) {
		t.Error("a large batch cannot wait alone")
	}
	c.took(<-c.queue)
	for range 2 {
		if give(c, clientHeap/2) {
			t.Error("it is dropped before it is too slow")
		}
	}
	if !give(c, 1) {
		t.Error("more than the bound waits for it")
	}
}

// TestABrowserThatStopsReading: its stream ends, what waited for it is bounded, and another browser has everything at
// once meanwhile.
func TestABrowserThatStopsReading(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as a browser may take for one batch")
	}
	s := newSite(t)
	b := s.as(octopus.RoleViewer)
	reader := b.follow("/events?topics=feed", s.web.live.cursor())
	reader.wait("event: beat")
	go func() { // as browsers do
		for range reader.lines {
		}
	}()
	l := s.web.live
	other := only(t, l)
	before := heap()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.base+"/events?topics=feed", nil)
	if err != nil {
		t.Fatal(err)
	}
	stuck, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stuck.Body.Close()
	bufio.NewReaderSize(stuck.Body, 16).ReadByte() // and not a byte more

	batch := []byte("data: " + strings.Repeat("x", 8<<10) + "\n\n")
	viewers, most, slowest, stalled := l.viewers(), int64(0), time.Duration(0), stall.Watch(t)
	for end := time.Now().Add(2 * writePatient); l.viewers() == viewers; {
		if time.Now().After(end) {
			t.Fatal("the browser that does not read is still served")
		}
		l.mu.Lock()
		for _, g := range l.groups {
			from, held := time.Now(), stalled()
			l.give(g, nil, batch)
			slowest = max(slowest, time.Since(from)-(stalled()-held))
		}
		l.mu.Unlock()
		from, held := time.Now(), stalled()
		for other.waiting.Load() > 0 && time.Since(from) < time.Minute {
			time.Sleep(time.Millisecond)
		}
		slowest = max(slowest, time.Since(from)-(stalled()-held))
		most = max(most, heap()-before)
	}
	t.Logf("at most %d KiB; another browser waited at most %s", most>>10, slowest)
	if most > 256<<10 {
		t.Errorf("it cost %d KiB", most>>10)
	}
	if slowest >= time.Second {
		t.Errorf("another browser waited %s", slowest)
	}
}

// only is the one browser that follows.
func only(t *testing.T, l *live) *client {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []*client
	for _, g := range l.groups {
		found = slices.AppendSeq(found, maps.Keys(g.clients))
	}
	if len(found) != 1 {
		t.Fatalf("%d browsers follow, want one", len(found))
	}
	return found[0]
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
