package bench

import (
	"slices"
	"sync"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// journal is what the working agents of a fleet hold, as their own journals on disk would: it outlives their
// connections. It also counts starts, which is how a doubled execution shows.
type journal struct {
	released chan struct{} // closed when what runs may end

	mu      *sync.Mutex
	held    map[string]map[string]*wire.Item // guarded by mu: agent → execution
	starts  map[string]int                   // guarded by mu: execution → how often its work began
	refused int                              // guarded by mu: items and results that the server did not want
}

func newJournal() journal {
	return journal{
		released: make(chan struct{}), mu: new(sync.Mutex),
		held: make(map[string]map[string]*wire.Item), starts: make(map[string]int),
	}
}

// items is what an agent says in its hello.
func (j *journal) items(agent string) []wire.Item {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []wire.Item
	for _, it := range j.held[agent] {
		list = append(list, *it)
	}
	slices.SortFunc(list, func(a, b wire.Item) int { return int(a.Fence - b.Fence) })
	return list
}

// take notes an offer.
func (j *journal) take(agent, execution string, fence int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.held[agent] == nil {
		j.held[agent] = make(map[string]*wire.Item)
	}
	if j.held[agent][execution] == nil {
		j.held[agent][execution] = &wire.Item{Execution: execution, Fence: fence, Phase: wire.PhaseAccepted}
	}
}

// start begins the work of an accepted execution; a second go for it begins nothing.
func (j *journal) start(agent, execution string, attempt int, fence int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	it := j.held[agent][execution]
	if it == nil || it.Phase != wire.PhaseAccepted || it.Fence != fence {
		return
	}
	it.Phase, it.Attempt = wire.PhaseStarted, attempt
	j.starts[execution]++
}

// drop forgets an item. wanted says whether the server has its result or never wanted it to run.
func (j *journal) drop(agent, execution string, wanted bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if it := j.held[agent][execution]; it != nil && it.Phase != wire.PhaseAccepted && !wanted {
		j.refused++
	}
	delete(j.held[agent], execution)
}

// results ends what an agent has started and returns its results, again and again until they are dropped.
func (j *journal) results(agent string) []wire.Result {
	j.mu.Lock()
	defer j.mu.Unlock()
	var list []wire.Result
	for _, it := range j.held[agent] {
		if it.Phase == wire.PhaseAccepted {
			continue
		}
		it.Phase = wire.PhaseDone
		list = append(list, wire.Result{
			Execution: it.Execution, Attempt: it.Attempt, Fence: it.Fence, Outcome: octopus.Succeeded,
			Response: []byte(`{"status_code":200,"message":"simulated"}`), Free: 1,
		})
	}
	return list
}

// tally is how many executions began, and how often too often.
func (j *journal) tally() (started, doubled, refused int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, n := range j.starts {
		doubled += n - 1
	}
	return len(j.starts), doubled, j.refused
}
