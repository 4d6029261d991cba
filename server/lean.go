package server

import (
	"context"
	"os"
	"runtime/debug"
	"time"
)

// A server whose heap is mostly idle connections holds twice what lives in it, because the garbage collector waits
// until it has doubled. From crowded connections on, of agents and browsers, it collects at half of that: with ten
// thousand agents that is a third of the server's memory, and at rest, when little is allocated, well under a hundredth
// of a core.
const (
	crowded   = 1000
	leanGC    = 50
	usualGC   = 100
	leanEvery = 5 * time.Second
)

// keepLean sets the garbage collector's pace by the number of connections until ctx is done. Who sets GOGC decides
// alone.
func (s *Server) keepLean(ctx context.Context) error {
	if os.Getenv("GOGC") != "" {
		return nil
	}
	tick := time.NewTicker(leanEvery)
	defer tick.Stop()
	now := usualGC
	for {
		select {
		case <-ctx.Done():
			if now != usualGC {
				debug.SetGCPercent(usualGC)
			}
			return ctx.Err()
		case <-tick.C:
			want := usualGC
			if s.hub.Connections()+s.web.Viewers() >= crowded {
				want = leanGC
			}
			if want != now {
				now = want
				debug.SetGCPercent(want)
			}
		}
	}
}
