package server

import (
	"context"
	"time"
)

// relayEvery is how often a server looks for what others changed, where no bus tells it (DESIGN §11).
const relayEvery = time.Second

// relay publishes on this server's bus what other servers left in the database, until ctx is done. With SQLite there
// are no others.
func (s *Server) relay(ctx context.Context) error {
	if s.store.Dialect() != "postgres" {
		return nil
	}
	tick := time.NewTicker(relayEvery)
	defer tick.Stop()
	purge := time.NewTicker(time.Minute)
	defer purge.Stop()
	for reader := s.store.Relay(); ; {
		hints, lost, err := reader.Next(ctx)
		if err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("changes of other servers not read", "err", err)
		}
		s.bus.Publish(hints...)
		if lost {
			s.bus.Miss()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-purge.C:
			if err := s.store.PurgeHints(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.Warn("old hints not deleted", "err", err)
			}
		}
	}
}
