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
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx must not hold it back
	h.Set("Content-Security-Policy", policy)
	s.firstBrowser(subject(r).Username)
	c := s.live.join(sub, since)
	out, ok := taken(w, r)
	switch {
	case !ok:
		s.feed(flushing(w, r), c)
	case out == nil:
		s.live.leave(c)
	default: // on a small stack of its own; the request and what it holds may go
		s.calls.Go(func() { s.feed(out, c) })
	}
}

// feed writes to one browser until it goes away, is too slow, or the server stops. It ends the outlet.
func (s *Web) feed(out *outlet, c *client) {
	defer out.close()
	defer s.live.leave(c)
	beat := time.NewTicker(beatEvery)
	defer beat.Stop()
	life := time.NewTimer(streamLife + rand.N(streamLife/4))
	defer life.Stop()
	if out.write(s.beat()) != nil {
		return
	}
	for {
		select {
		case batch := <-c.queue:
			c.took(batch)
			if out.write(batch) != nil {
				return
			}
		case <-beat.C:
			if out.write(s.beat()) != nil {
				return
			}
		case <-life.C:
			return
		case <-c.kicked:
			return
		case <-s.live.done:
			return
		case <-out.gone:
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
