package web

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Times of a stream.
const (
	beatEvery    = 15 * time.Second // says that the stream lives; the page calls it stale after 40 s of silence
	streamLife   = 10 * time.Minute // then it ends and the page comes back, so that a session that ended does not look on
	writePatient = 10 * time.Second // for one batch; a browser that takes longer is dropped and comes back
)

// events is the one stream of a page. Fragments come as unnamed messages, the rest by name: log (lines), beat (the
// server's clock), resync (refetch yourself). A stream resumes after its Last-Event-ID.
func (s *Web) events(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	sub, ok := subscribe(q)
	if !ok {
		http.Error(w, "Name one to eight topics.", http.StatusBadRequest)
		return
	}
	since := q.Get("since")
	if id := r.Header.Get("Last-Event-ID"); id != "" {
		since = id
	}
	select {
	case <-s.live.done:
		http.Error(w, "The server is stopping.", http.StatusServiceUnavailable)
		return
	default:
	}
	c := s.live.join(sub, since)
	defer s.live.leave(c)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx must not hold it back
	h.Set("Content-Security-Policy", policy)
	s.firstBrowser(subject(r).Username)
	s.feed(w, r, c)
}

// feed writes to one browser until it goes away, is too slow, or the server stops.
func (s *Web) feed(w http.ResponseWriter, r *http.Request, c *client) {
	out := http.NewResponseController(w)
	send := func(batch []byte) bool {
		// Where the writer knows no deadline, as in tests, a slow reader is still bounded by its queue.
		_ = out.SetWriteDeadline(time.Now().Add(writePatient))
		if _, err := w.Write(batch); err != nil {
			return false
		}
		return out.Flush() == nil
	}
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	life := time.NewTimer(streamLife + rand.N(streamLife/4))
	defer life.Stop()
	if !send(s.beat()) {
		return
	}
	for {
		select {
		case batch := <-c.queue:
			if !send(batch) {
				return
			}
		case <-beat.C:
			if !send(s.beat()) {
				return
			}
		case <-life.C:
			return
		case <-c.kicked:
			return
		case <-s.live.done:
			return
		case <-r.Context().Done():
			return
		}
	}
}

func (s *Web) beat() []byte {
	return []byte("event: beat\ndata: " + strconv.FormatInt(s.now().UnixMilli(), 10) + "\n\n")
}

// firstBrowser tells whoever wants to know that somebody looks for the first time.
func (s *Web) firstBrowser(username string) {
	if s.cfg.OnFirstBrowser == nil {
		return
	}
	s.first.Do(func() {
		s.calls.Go(func() { s.cfg.OnFirstBrowser(username) })
	})
}
