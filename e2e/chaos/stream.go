//go:build linux

package chaos

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"octopus/e2e/history"
	"octopus/sdk"
)

// Of streams of events: how many executions a page shows, how often it is looked at, and how much longer than
// promised it may take on a machine that is busy with everything else. What a stream misses it misses for ever, so
// that patience hides nothing.
const (
	shown    = 200
	lookAt   = time.Second
	patience = 4 * time.Second
)

// stream is a live page: it follows all executions, and reads its list again when it is told that it missed some.
type stream struct {
	w    *world
	door string // its link, as a target of faults
	name string
	api  *sdk.Client
	log  *told

	mu    sync.Mutex
	page  map[string]string // guarded by mu: status by execution
	order []string          // guarded by mu: the newest last
	since time.Time         // guarded by mu: of the present connection
	open  bool              // guarded by mu
}

// RoundTrip notes when the stream is connected.
func (s *stream) watch(transport http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		res, err := transport.RoundTrip(r)
		if err == nil && r.URL.Path == "/api/v1/events" {
			s.mu.Lock()
			s.open, s.since = res.StatusCode == http.StatusOK, time.Now()
			s.mu.Unlock()
		}
		return res, err
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// run follows until ctx ends, and looks at the page now and then.
func (s *stream) run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		for pause(ctx, lookAt) {
			s.look()
		}
	})
	for ctx.Err() == nil {
		err := s.api.Events(ctx, []string{"executions"}, func(e sdk.ServerEvent) error { return s.event(ctx, e) })
		if err != nil && ctx.Err() == nil { // a new page: it begins with nothing
			s.mu.Lock()
			s.open = false
			s.page, s.order = make(map[string]string), nil
			s.mu.Unlock()
			pause(ctx, 500*time.Millisecond)
		}
	}
	wg.Wait()
}

func (s *stream) event(ctx context.Context, e sdk.ServerEvent) error {
	switch e.Name {
	case "resync":
		s.log.count("stream resync")
		return s.read(ctx)
	case "execution.updated":
		x, err := e.Execution()
		if err != nil {
			return fmt.Errorf("event %s: %w", e.ID, err)
		}
		s.show(x, time.Time{})
	}
	return nil
}

// read is what a page does after a resync: it forgets what it showed and reads its list.
func (s *stream) read(ctx context.Context) error {
	asked := time.Now()
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	list, err := s.api.Executions(limited, sdk.ExecutionFilter{List: sdk.List{Limit: shown, Sort: "-created_at"}})
	if err != nil {
		return err // run begins anew
	}
	s.mu.Lock()
	s.page, s.order = make(map[string]string), nil
	s.mu.Unlock()
	for i := range list.Items {
		s.show(list.Items[len(list.Items)-1-i], asked)
	}
	return nil
}

func (s *stream) show(x sdk.Execution, asked time.Time) {
	observer := s.name
	if !asked.IsZero() {
		observer += " list" // another sequence: events that were under way while the list was read may be older than it
	}
	s.log.see(history.Sighting{Observer: observer, Execution: x.ID, Status: x.Status, Attempt: x.Attempt, Asked: asked, At: time.Now()})
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.page[x.ID]; !ok {
		s.order = append(s.order, x.ID)
		if len(s.order) > shown {
			delete(s.page, s.order[0])
			s.order = s.order[1:]
		}
	}
	s.page[x.ID] = x.Status
}

// look writes down what the page shows, when neither its link nor any server was hurt lately: a page that hears
// nothing says so, and what it shows is then of its last sign of life.
func (s *stream) look() {
	now := time.Now()
	well, ok := s.w.wellSince(now, func(target string) bool { return target == s.door || isServer(target) || class(target) == "disk" })
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ok || !s.open || len(s.page) == 0 {
		return
	}
	since := s.since
	if well.After(since) {
		since = well
	}
	view := history.View{Observer: s.name, Since: since, At: now.Add(-patience), Shown: maps.Clone(s.page)}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.views = append(s.log.views, view)
}
