package bench

import (
	"maps"
	"math"
	"slices"
	"sync"
	"time"
)

// Percentiles describes how long something took, in milliseconds.
type Percentiles struct {
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

// samples collects durations from many goroutines.
type samples struct {
	mu   sync.Mutex
	list []time.Duration // guarded by mu
}

func (s *samples) add(d time.Duration) {
	s.mu.Lock()
	s.list = append(s.list, d)
	s.mu.Unlock()
}

// reset forgets what was collected.
func (s *samples) reset() {
	s.mu.Lock()
	s.list = nil
	s.mu.Unlock()
}

// percentiles orders what was collected so far; the rank is the nearest one above.
func (s *samples) percentiles() Percentiles {
	s.mu.Lock()
	sorted := slices.Clone(s.list)
	s.mu.Unlock()
	if len(sorted) == 0 {
		return Percentiles{}
	}
	slices.Sort(sorted)
	at := func(q float64) float64 {
		i := int(math.Ceil(q*float64(len(sorted)))) - 1
		return milliseconds(sorted[max(0, i)])
	}
	return Percentiles{Count: len(sorted), P50: at(.5), P90: at(.9), P99: at(.99), Max: milliseconds(sorted[len(sorted)-1])}
}

// at is the sample of a rank between 0 and 1, in milliseconds.
func (s *samples) at(q float64) float64 {
	s.mu.Lock()
	sorted := slices.Sorted(slices.Values(s.list))
	s.mu.Unlock()
	if len(sorted) == 0 {
		return 0
	}
	return milliseconds(sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)])
}

// milliseconds keeps microseconds, which is as fine as a network allows.
func milliseconds(d time.Duration) float64 { return math.Round(float64(d)/1e3) / 1e3 }

// failures counts what went wrong, by sentence; it keeps at most 20 different ones.
type failures struct {
	mu     sync.Mutex
	counts map[string]int // guarded by mu
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	text := err.Error()
	if _, known := f.counts[text]; !known && len(f.counts) >= 20 {
		text = "others"
	}
	f.counts[text]++
}

// all returns the counts, nil when nothing failed.
func (f *failures) all() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return maps.Clone(f.counts)
}

// reset forgets them.
func (f *failures) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts = nil
}

func (f *failures) total() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range f.counts {
		n += k
	}
	return n
}

// counter counts words.
type counter struct {
	mu     sync.Mutex
	counts map[string]int // guarded by mu
}

func (c *counter) add(word string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[word]++
}

func (c *counter) all() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}
