package web

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// stream reads a page's event stream.
type stream struct {
	t      *testing.T
	lines  chan string
	cancel context.CancelFunc
	id     string // the last that came
}

// follow opens a stream. It ends with the test.
func (b *browser) follow(path, lastID string) *stream {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), deadline)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	res, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		b.t.Fatalf("%s is %d %s", path, res.StatusCode, got)
	}
	s := &stream{t: b.t, lines: make(chan string, 1024), cancel: cancel}
	go func() {
		defer close(s.lines)
		defer res.Body.Close()
		in := bufio.NewScanner(res.Body)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			s.lines <- in.Text()
		}
	}()
	b.t.Cleanup(s.close)
	return s
}

func (s *stream) close() {
	s.cancel()
	for range s.lines { // until the reader has ended
	}
}

// wait reads until a line has all texts, and returns it.
func (s *stream) wait(texts ...string) string {
	s.t.Helper()
	var seen []string
next:
	for line := range s.lines {
		seen = append(seen, line)
		if id, ok := strings.CutPrefix(line, "id: "); ok {
			s.id = id
		}
		for _, text := range texts {
			if !strings.Contains(line, text) {
				continue next
			}
		}
		return line
	}
	s.t.Fatalf("the stream ended without %q:\n%s", texts, strings.Join(seen, "\n"))
	return ""
}

// eventsOf is the address of a page's stream.
func eventsOf(t *testing.T, p page) string {
	t.Helper()
	_, rest, ok := strings.Cut(p.body, `hx-sse:connect="`)
	address, _, _ := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("%s follows nothing", p.Request.URL)
	}
	return strings.ReplaceAll(address, "&amp;", "&")
}

func (s *site) step(id string, step store.StepFunc) {
	s.t.Helper()
	if _, err := s.store.Step(s.t.Context(), id, step); err != nil {
		s.t.Fatal(err)
	}
}

func TestFeedMoves(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	agent, err := storetest.Agent(s.store, "web-1")
	if err != nil {
		t.Fatal(err)
	}
	b := s.as(octopus.RoleViewer)
	feed := b.follow(eventsOf(t, b.get("/")), "")
	feed.wait("event: beat")
	select {
	case name := <-s.first:
		if name != "the-viewer" {
			t.Errorf("the first browser is %s's", name)
		}
	case <-time.After(deadline):
		t.Fatal("nobody heard of the first browser")
	}
	made := storetest.NewRun(s.store, 1, nil)
	if _, _, err := s.store.CreateRun(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	id := made.Executions[0].ID
	feed.wait("f-"+id, "s-queued", `hx-swap="upsert"`)
	s.step(id, storetest.Offer(agent.ID))
	s.step(id, storetest.Accept)
	feed.wait("f-"+id, "s-running")
	s.step(id, storetest.End(octopus.Succeeded))
	feed.wait("f-"+id, "s-succeeded")
}

// TestNothingFallsBetween changes something after a page was drawn and before its stream opens.
func TestNothingFallsBetween(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	one, _, _ := s.seed()
	b := s.as(octopus.RoleAdmin)
	address := eventsOf(t, b.get("/runs/"+one.ID))
	if p := b.post("/runs/" + one.ID + "/cancel"); p.StatusCode != http.StatusOK {
		t.Fatal(p.body)
	}
	follow := b.follow(address, "")
	follow.wait("#x-head", "s-cancelled")
}

func TestResume(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(octopus.RoleViewer)
	first := b.follow("/events?topics=feed&since="+s.web.live.cursor(), "")
	made := storetest.NewRun(s.store, 1, nil)
	if _, _, err := s.store.CreateRun(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	first.wait("f-" + made.Executions[0].ID)
	first.wait("id: ")
	first.close()
	second := storetest.NewRun(s.store, 1, nil)
	if _, _, err := s.store.CreateRun(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	again := b.follow("/events?topics=feed", first.id)
	again.wait("f-" + second.Executions[0].ID)

	// Another server, or too long ago: the page refetches itself.
	b.follow("/events?topics=feed", "other.17").wait("event: resync")
	b.follow("/events?topics=feed", s.web.live.epoch+".99999999").wait("event: resync")
	b.follow("/events?topics=feed", "nonsense").wait("event: resync")
}

func TestFilteredList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(octopus.RoleViewer)
	list := b.follow(eventsOf(t, b.get("/executions?status=queued")), "")
	made := storetest.NewRun(s.store, 1, nil)
	if _, _, err := s.store.CreateRun(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	id := made.Executions[0].ID
	list.wait(`hx-target="#executions"`, `<tr id="x-`+id)
	s.step(id, storetest.Offer("agt_x"))
	list.wait(`hx-target="#x-`+id, `hx-swap="delete"`) // it is not queued any more
}

func TestLogLines(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	made := storetest.NewRun(s.store, 1, nil)
	if _, _, err := s.store.CreateRun(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	id := made.Executions[0].ID
	s.step(id, storetest.Offer("agt_x"))
	s.step(id, storetest.Accept)
	b := s.as(octopus.RoleViewer)
	write := func(seq int64, text string) {
		t.Helper()
		chunk := octopus.LogChunk{ExecutionID: id, Attempt: 1, Seq: seq, Stream: "stderr", Lines: []octopus.LogLine{{At: s.store.Now(), Text: text}}}
		if _, err := s.store.AppendLogs(t.Context(), []octopus.LogChunk{chunk}); err != nil {
			t.Fatal(err)
		}
	}
	write(1, "before the page")
	p := b.get("/executions/" + id)
	p.has(t, http.StatusOK, "before the page", `data-seq="1"`)
	log := b.follow(eventsOf(t, p), "")
	log.wait(`"check":true`, `"seq":1`)
	write(2, "while </script> it is open")
	log.wait(`"seq":2`, `\u003c/script\u003e`)
	b.get("/executions/"+id+"/log?after=1").has(t, http.StatusOK, `"seq":2`, `"more":false`)
	if p := b.get("/executions/" + id + "/log.txt"); !strings.Contains(p.Header.Get("Content-Disposition"), "attachment") || strings.Count(p.body, "\n") != 2 {
		t.Errorf("log.txt: %v %q", p.Header, p.body)
	}
}

// TestLostHints shows that a page is true within seconds even when no hint ever comes.
func TestLostHints(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	deaf := New(s.web.cfg)
	deaf.cfg.Bus = bus.NewLocal() // nobody publishes here
	deaf.live.web = deaf
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- deaf.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	sub, _ := subscribe(map[string][]string{"topics": {"feed"}})
	c := deaf.live.join(sub, deaf.live.cursor())
	made := storetest.NewRun(s.store, 1, nil)
	if _, _, err := s.store.CreateRun(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case batch := <-c.queue:
			if strings.Contains(string(batch), made.Executions[0].ID) {
				return
			}
		case <-time.After(deadline):
			t.Fatal("the poll found nothing")
		}
	}
}

// TestSlowBrowser: a queue that is full drops its browser, and nobody else.
func TestSlowBrowser(t *testing.T) {
	t.Parallel()
	l := newLive(New(Config{}))
	sub, _ := subscribe(map[string][]string{"topics": {"feed"}})
	slow, fast := l.join(sub, l.cursor()), l.join(sub, l.cursor())
	for range clientRoom + 1 {
		l.mu.Lock()
		l.give(slow.group, nil, []byte("x"))
		l.mu.Unlock()
		select {
		case <-fast.queue:
		default:
			t.Fatal("the fast one got nothing")
		}
	}
	select {
	case <-slow.kicked:
	default:
		t.Fatal("the slow one is still there")
	}
	if n := l.viewers(); n != 1 {
		t.Errorf("%d viewers are left", n)
	}
	l.leave(slow)
	l.leave(fast)
	if n := l.viewers(); n != 0 {
		t.Errorf("%d viewers are left", n)
	}
}

func TestSubscribe(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "nothing", "execution:", "feed2", strings.Repeat("run:x,", 20) + "agent:" + strings.Repeat("x", 200)} {
		if _, ok := subscribe(map[string][]string{"topics": {bad}}); ok && bad != "" && !strings.Contains(bad, "run:x") {
			t.Errorf("%q is accepted", bad)
		}
	}
	b := newSite(t).browser()
	b.get("/events?topics=feed").has(t, http.StatusUnauthorized)
}

// BenchmarkViewer is what one update costs for each of a thousand viewers, up to the socket.
func BenchmarkViewer(b *testing.B) {
	l := newLive(New(Config{}))
	sub, _ := subscribe(map[string][]string{"topics": {"feed"}})
	const viewers = 1000
	var all []*client
	for range viewers {
		all = append(all, l.join(sub, l.cursor()))
	}
	g := all[0].group
	frames := []frame{{topic: topicFeed, name: "x", data: []byte(strings.Repeat("x", 900))}}
	for b.Loop() {
		l.mu.Lock()
		clear(g.last)
		l.give(g, nil, l.batch(g, frames))
		l.mu.Unlock()
		for _, c := range all {
			c.took(<-c.queue)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/viewers, "ns/viewer")
}
