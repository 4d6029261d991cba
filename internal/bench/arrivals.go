package bench

import (
	"slices"
	"sync"
	"time"
)

// Rate is how evenly agents came: a server with room to spare is not run down by the first second. The mean is over the
// time in which 99 of 100 came: agents wait for longer the more often they tried in vain, and when the very last one
// tries again says nothing about what the server bore. How long that took is told apart.
type Rate struct {
	MeanPerSecond float64 `json:"mean_per_second"` // of the first 99 of 100
	PeakPerSecond int     `json:"peak_per_second"` // of the fullest second
	PeakOverMean  float64 `json:"peak_over_mean"`
}

// arrivals are the times at which agents were welcomed.
type arrivals struct {
	mu    sync.Mutex
	since time.Time       // guarded by mu
	after []time.Duration // guarded by mu
}

// expect begins anew.
func (a *arrivals) expect() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since, a.after = time.Now(), nil
}

func (a *arrivals) add() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.after = append(a.after, time.Since(a.since))
}

// restart begins anew and returns how many came before.
func (a *arrivals) restart() int {
	a.mu.Lock()
	n := len(a.after)
	a.mu.Unlock()
	a.expect()
	return n
}

// percentiles of how long it took until they came.
func (a *arrivals) percentiles() Percentiles {
	a.mu.Lock()
	defer a.mu.Unlock()
	return (&samples{list: a.after}).percentiles()
}

// rate looks at every second that begins with an arrival.
func (a *arrivals) rate() (r Rate) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.after) == 0 {
		return r
	}
	times := slices.Sorted(slices.Values(a.after))
	first := 0
	for i, t := range times {
		for t-times[first] >= time.Second {
			first++
		}
		r.PeakPerSecond = max(r.PeakPerSecond, i-first+1)
	}
	most := (len(times)*99 + 99) / 100
	r.MeanPerSecond = float64(most) / max(times[most-1].Seconds(), 1)
	r.PeakOverMean = float64(r.PeakPerSecond) / r.MeanPerSecond
	return r
}
