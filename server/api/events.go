package api

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"octopus/internal/octopus"
	"octopus/internal/seeded"
	"octopus/server/bus"
	"octopus/server/cache"
	"octopus/server/store"
)

// Limits of one stream of events.
const (
	maxTopics  = 100
	eventsTick = 100 * time.Millisecond // changes of one thing within this time are one event

	writePatience = 10 * time.Second // for one write to a stream; a client that takes longer is dropped
)

type streamEventsInput struct {
	Topics string `query:"topics" required:"true" maxLength:"8192" doc:"executions, agents, tasks, plugins, run:<id>, execution:<id>, agent:<id>; several with commas."`
	Last   string `header:"Last-Event-ID" maxLength:"64" doc:"Goes on after this event; where that is not possible, the first event is resync."`
}

// streamEvents sends what changed as JSON: execution.updated, run.updated, agent.updated, task.updated and
// plugin.updated. The topics with an id begin with the present state, so that nothing falls between a read and
// the stream.
func (a *API) streamEvents(_ context.Context, in *streamEventsInput) (*huma.StreamResponse, error) {
	topics, err := parseTopics(in.Topics)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humachi.Unwrap(hctx)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no")
		w.WriteHeader(http.StatusOK)
		s := &stream{api: a, w: patient(w), rc: http.NewResponseController(w), topics: topics, sent: map[string]uint64{}}
		defer calm(w)
		if err := s.run(hctx.Context(), in.Last); err != nil && hctx.Context().Err() == nil {
			a.log.Warn("event stream ended", "request", requestIDOf(hctx.Context()), "error", err)
		}
	}}, nil
}

// patient gives each write to w a limit of its own, so that a client that stops reading holds nothing for long. What
// writes last calls calm: the connection may serve other requests.
func patient(w http.ResponseWriter) io.Writer {
	return patientWriter{w, http.NewResponseController(w)}
}

func calm(w http.ResponseWriter) { _ = http.NewResponseController(w).SetWriteDeadline(time.Time{}) }

type patientWriter struct {
	w  io.Writer
	rc *http.ResponseController
}

func (p patientWriter) Write(b []byte) (int, error) {
	_ = p.rc.SetWriteDeadline(time.Now().Add(writePatience)) // where the writer knows none, as in tests, there is none
	return p.w.Write(b)
}

// parseTopics reads and checks a list of topics.
func parseTopics(text string) ([]string, error) {
	var topics []string
	for topic := range strings.SplitSeq(text, ",") {
		topic = strings.TrimSpace(topic)
		kind, id, named := strings.Cut(topic, ":")
		ok := false
		switch kind {
		case "executions", "agents", "tasks", "plugins":
			ok = !named
		case "run", "execution", "agent":
			ok = octopus.ValidID(map[string]string{"run": octopus.PrefixRun, "execution": octopus.PrefixExecution, "agent": octopus.PrefixAgent}[kind], id)
		}
		if !ok {
			return nil, octopus.InvalidField("topics", "A topic is executions, agents, tasks, plugins, or run:, execution: or agent: with an id.")
		}
		topics = append(topics, topic)
	}
	if len(topics) > maxTopics {
		return nil, octopus.InvalidField("topics", "One stream follows at most %d topics.", maxTopics)
	}
	return topics, nil
}

// stream is one client of the events. It is owned by its request's goroutine.
type stream struct {
	api    *API
	w      io.Writer
	rc     *http.ResponseController
	topics []string
	at     int64             // position in the feed
	sent   map[string]uint64 // hash of the state last sent, by id: of runs' executions
}

func (s *stream) run(ctx context.Context, last string) error {
	f := s.api.feed
	waker, now := f.subscribe(s.topics)
	defer f.unsubscribe(s.topics, waker)
	s.at = now
	if last != "" {
		if at, ok := f.position(last); ok {
			s.at = at
		} else if !seeded.Is(seeded.ResumeWithoutGap) {
			if err := s.resync(); err != nil {
				return err
			}
		}
	}
	for _, topic := range s.topics { // those with an id begin with the present state
		if kind, id, named := strings.Cut(topic, ":"); named {
			if err := s.changed(ctx, kind, id); err != nil {
				return err
			}
		}
	}
	if err := s.rc.Flush(); err != nil {
		return err
	}
	return s.follow(ctx, waker)
}

// follow sends what changes until the client or the server goes.
func (s *stream) follow(ctx context.Context, waker chan struct{}) error {
	quiet := time.NewTicker(signOfLife)
	defer quiet.Stop()
	over := time.NewTimer(maxStream)
	defer over.Stop()
	select { // what came since Last-Event-ID
	case waker <- struct{}{}:
	default:
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.api.stopping.Done():
			return nil
		case <-over.C:
			return nil
		case <-quiet.C:
			if _, err := io.WriteString(s.w, ":\n\n"); err != nil {
				return err
			}
		case <-waker:
			if err := s.catchUp(ctx); err != nil {
				return err
			}
			if !pause(ctx, eventsTick) {
				return nil
			}
		}
		if err := s.rc.Flush(); err != nil {
			return err
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// catchUp sends everything between the stream's position and now.
func (s *stream) catchUp(ctx context.Context) error {
	wanted := make(map[string]bool, len(s.topics))
	for _, t := range s.topics {
		wanted[t] = true
	}
	hints, next, gap := s.api.feed.since(s.at, wanted)
	s.at = next
	if gap {
		return s.resync()
	}
	for _, h := range distinct(hints) {
		kind, id, named := strings.Cut(h.Topic, ":")
		if !named {
			kind, id = strings.TrimSuffix(kind, "s"), h.ID
		}
		if err := s.changed(ctx, kind, id); err != nil {
			return err
		}
	}
	return nil
}

// distinct drops hints about one thing that came over two topics.
func distinct(hints []bus.Hint) []bus.Hint {
	seen, kept := map[string]bool{}, hints[:0]
	for _, h := range hints {
		kind, id, named := strings.Cut(h.Topic, ":")
		if !named {
			kind, id = strings.TrimSuffix(kind, "s"), h.ID
		}
		if !seen[kind+id] {
			seen[kind+id] = true
			kept = append(kept, h)
		}
	}
	return kept
}

// changed sends the present state of one thing. What is gone meanwhile is sent as removed.
func (s *stream) changed(ctx context.Context, kind, id string) error {
	if kind == "run" {
		return s.runChanged(ctx, id)
	}
	data, err := s.api.eventData(ctx, kind, id, s.at)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return s.send(kind+".removed", []byte(`{"id":"`+id+`"}`))
	}
	if err != nil {
		return err
	}
	return s.send(kind+".updated", data)
}

// eventData is the JSON of one thing, made once for all the streams at the same position: what was read after
// the feed reached it is at least as new as all its hints.
func (a *API) eventData(ctx context.Context, kind, id string, at int64) ([]byte, error) {
	load := func() (any, error) {
		switch kind {
		case "execution":
			x, err := a.store.Execution(ctx, id)
			return a.toExecution(x), err
		case "agent":
			g, err := a.store.Agent(ctx, id)
			return a.toAgent(g), err
		}
		return map[string]string{"id": id}, nil // tasks and plugins: read them where they matter
	}
	if kind != "execution" && kind != "agent" {
		v, _ := load()
		return json.Marshal(v)
	}
	key := fmt.Sprintf("event:%s:%d", id, at)
	return cache.Load(a.cache, cache.Overview, key, func() ([]byte, error) {
		v, err := load()
		if err != nil {
			return nil, err
		}
		return json.Marshal(v)
	})
}

// runChanged sends the executions of a run that changed since they were sent, and then the run.
func (s *stream) runChanged(ctx context.Context, id string) error {
	run, err := s.api.store.Run(ctx, id)
	if err != nil {
		return err
	}
	executions, _, err := s.api.store.RunExecutions(ctx, id, store.Page{Limit: shownExecutions})
	if err != nil {
		return err
	}
	for _, x := range executions {
		if err := s.sendNew(x.ID, "execution.updated", s.api.toExecution(x)); err != nil {
			return err
		}
	}
	return s.sendNew(run.ID, "run.updated", toRun(run))
}

// sendNew sends a state unless it is the one that was sent last.
func (s *stream) sendNew(id, name string, state any) error {
	data, err := json.Marshal(state)
	if err != nil {
		return err
	}
	h := fnv.New64a()
	_, _ = h.Write(data)
	if s.sent[id] == h.Sum64() {
		return nil
	}
	s.sent[id] = h.Sum64()
	return s.send(name, data)
}

// resync tells the client to read again what it shows.
func (s *stream) resync() error { return s.send("resync", []byte(`{}`)) }

func (s *stream) send(name string, data []byte) error {
	_, err := fmt.Fprintf(s.w, "id: %s\nevent: %s\ndata: %s\n\n", s.api.feed.id(s.at), name, data)
	return err
}
