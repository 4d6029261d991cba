//go:build linux

package chaos

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"octopus/e2e/history"
)

// Result is what a run of chaos did and what it found.
type Result struct {
	Executions  int
	Faults      map[string]int // by class of target and kind
	Answers     map[string]int // calls of clients, by how they ended
	Starts      int            // that the witness saw
	Views       int
	Hints       int64 // that servers gave to the bus between them, and how many deliveries came of them
	HintsPassed int64
	Polls       int              // sessions of long polls that agents had
	Settled     time.Duration    // from the last fault's end until everything had ended
	Took        [3]time.Duration // p50, p99 and the longest from creation to end
	Statuses    map[string]int
	Broken      []history.Violation
	History     history.History
}

// Run does everything: build, load, faults, healing, judgement. It cleans up by itself.
func Run(t testing.TB, o Options) Result {
	t.Helper()
	w := build(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log := &told{answers: make(map[string]int)}
	stop := w.load(ctx, log)
	faults := plan(o, w.targets())
	watched, unwatch := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { w.watch(watched) })
	if w.board != nil {
		wg.Go(func() { w.board.flicker(watched, w.note) })
	}
	counts := w.inflict(ctx, faults)
	stop.clients()
	healed := time.Now()
	left := w.settle()
	settled := time.Since(healed)
	pause(ctx, patience+3*time.Second) // pages are looked at once more, in peace
	stop.streams()
	unwatch()
	wg.Wait()
	left = append(left, w.close()...)
	stored, err := w.stored(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	h := history.History{Promises: log.promises, Sightings: log.sightings, Views: log.views, Stored: stored, Witness: w.witness.seen(), Left: left}
	for _, name := range slices.Sorted(maps.Keys(w.journals)) {
		h.Journals = append(h.Journals, *w.journals[name])
	}
	r := w.result(h, counts, log)
	r.Settled, r.Polls = settled, w.polls
	if w.board != nil {
		r.Hints, r.HintsPassed = w.board.taken.Load(), w.board.passed.Load()
	}
	return r
}

// took is how long executions lived: half of them, 99 of 100, and the longest.
func took(stored []history.Execution) (out [3]time.Duration) {
	list := make([]time.Duration, 0, len(stored))
	for _, x := range stored {
		list = append(list, x.FinishedAt.Sub(x.CreatedAt))
	}
	if slices.Sort(list); len(list) > 0 {
		out = [3]time.Duration{list[len(list)/2], list[len(list)*99/100], list[len(list)-1]}
	}
	return out
}

func (w *world) result(h history.History, faults map[string]int, log *told) Result {
	r := Result{Executions: len(h.Stored), Faults: faults, Answers: log.answers, Views: len(h.Views), Statuses: make(map[string]int), History: h, Took: took(h.Stored)}
	for _, x := range h.Stored {
		what := x.Status
		if x.Reason != "" {
			what += " (" + x.Reason + ")"
		}
		r.Statuses[what]++
	}
	for _, m := range h.Witness {
		if m.Start {
			r.Starts++
		}
	}
	r.Broken = history.Check(h)
	return r
}

// stopper ends what load started, in two steps.
type stopper struct{ clients, streams func() }

// load starts clients and streams.
func (w *world) load(ctx context.Context, log *told) stopper {
	clients, stopClients := context.WithCancel(ctx)
	pages, stopPages := context.WithCancel(ctx)
	var submitting, following sync.WaitGroup
	for i := range w.o.Clients {
		api, transport := through(w.doors[i], w.token)
		c := &client{w: w, name: fmt.Sprintf("client-%02d", i), api: api, log: log, random: rand.New(rand.NewPCG(w.o.Seed, uint64(i)+2))}
		submitting.Go(func() { c.run(clients); transport.CloseIdleConnections() })
	}
	for i := range streams {
		n := w.o.Clients + i
		s := &stream{w: w, name: fmt.Sprintf("stream-%02d", i), door: fmt.Sprintf("door-%d", n), log: log, page: make(map[string]string)}
		var transport *http.Transport
		s.api, transport = through(w.doors[n], w.token, s.watch)
		following.Go(func() { s.run(pages); transport.CloseIdleConnections() })
	}
	return stopper{
		clients: func() { stopClients(); submitting.Wait() },
		streams: func() { stopPages(); following.Wait() },
	}
}

// watch starts again what ended by itself, as a service manager does. It is a failure, but for one that was started
// on a full disk: SQLite cannot open a database then.
func (w *world) watch(ctx context.Context) {
	for pause(ctx, time.Second) {
		for _, p := range append(append([]*process(nil), w.servers...), w.agents...) {
			if crash := p.crashed(); crash != "" {
				_, roomy := w.wellSince(time.Now().Add(-3*time.Second), func(target string) bool { return target == "disk-"+p.name })
				if roomy || !strings.Contains(p.log(300), "is full") {
					w.t.Errorf("%s\n%s", crash, p.log(2<<10))
				}
				if err := p.start(); err != nil {
					w.t.Error(err)
				}
			}
		}
	}
}

// String is what is printed at the end.
func (r Result) String() string {
	faults := 0
	for _, n := range r.Faults {
		faults += n
	}
	lost, doubled, broken := 0, 0, map[string]int{}
	for _, v := range r.Broken {
		broken[v.Rule]++
		switch v.Rule {
		case history.RuleLost, history.RuleEnds:
			lost++
		case history.RuleDoubled, history.RuleStarts, history.RuleOverlap:
			doubled++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d executions under %d faults: %d lost, %d doubled, %d promises broken\n", r.Executions, faults, lost, doubled, len(r.Broken))
	for _, part := range []struct {
		name   string
		counts map[string]int
	}{{"broken", broken}, {"faults", r.Faults}, {"ends", r.Statuses}, {"calls", r.Answers}} {
		if len(part.counts) == 0 {
			continue
		}
		fmt.Fprintf(&b, "  %s:", part.name)
		for _, k := range slices.Sorted(maps.Keys(part.counts)) {
			fmt.Fprintf(&b, " %s %d,", k, part.counts[k])
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "  from creation to end: half within %s, 99 of 100 within %s, all within %s; %s after the last fault everything had ended\n",
		r.Took[0].Round(time.Millisecond), r.Took[1].Round(time.Millisecond), r.Took[2].Round(time.Millisecond), r.Settled.Round(time.Millisecond))
	fmt.Fprintf(&b, "  agents had %d sessions of long polls\n", r.Polls)
	if r.Hints > 0 {
		fmt.Fprintf(&b, "  the bus between the servers took %d hints and delivered %d, late and not always, while it was there\n", r.Hints, r.HintsPassed)
	}
	fmt.Fprintf(&b, "  %d acknowledgements, %d sightings, %d views of live pages, %d starts seen by the witness",
		len(r.History.Promises), len(r.History.Sightings), r.Views, r.Starts)
	return b.String()
}
