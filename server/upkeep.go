package server

import (
	"context"
	"time"

	"octopus/server/store"
)

// Times of the housekeeping.
const (
	leaseEvery = 5 * time.Second  // DESIGN §5: a server's lease is renewed every 5 s …
	leaseTTL   = 15 * time.Second // … and valid for 15 s
	purgeEvery = 10 * time.Minute
	purgeBatch = 1000 // runs deleted in one transaction, so that nobody waits long behind it
)

// keepLease renews this server's lease until ctx is done. When a renewal comes too late, other servers may have
// taken its agents for gone: it sends them away, and they come back to a session that everybody knows.
func (s *Server) keepLease(ctx context.Context) error {
	tick := time.NewTicker(leaseEvery)
	defer tick.Stop()
	renewed := s.renew(ctx, time.Now())
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			at := s.renew(ctx, renewed)
			if late := at.Sub(renewed) - leaseTTL; late > 0 {
				s.cfg.Log.Warn("the server's lease was renewed late: agents are sent away and come back", "late", late)
				s.hub.SendAway("The server's lease had run out. Come back.")
			}
			renewed = at
		}
	}
}

// renew renews the lease and returns when, or the time before where it could not.
func (s *Server) renew(ctx context.Context, before time.Time) time.Time {
	me := store.Server{ID: s.id, URL: s.url, StartedAt: s.started, Agents: s.dispatch.Online()}
	if err := s.store.RenewServer(ctx, me); err != nil {
		if ctx.Err() == nil {
			s.cfg.Log.Error("server lease not renewed", "error", err)
		}
		return before
	}
	return time.Now()
}

// upkeep removes what has expired, now and then, until ctx is done.
func (s *Server) upkeep(ctx context.Context) error {
	tick := time.NewTicker(purgeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			s.purge(ctx)
		}
	}
}

// purge removes executions beyond their retention, a batch at a time, and everything that has expired.
func (s *Server) purge(ctx context.Context) {
	before := time.Now().Add(-s.cfg.Retention)
	for {
		n, err := s.store.Purge(ctx, before, purgeBatch)
		if err != nil {
			s.cfg.Log.Error("old executions not purged", "error", err)
			return
		}
		if n < purgeBatch {
			break
		}
	}
	if _, err := s.store.PurgeExpired(ctx); err != nil {
		s.cfg.Log.Error("expired rows not purged", "error", err)
	}
}
