package server

import (
	"context"
	"time"

	"octopus/server/store"
)

// Times of the housekeeping.
const (
	leaseEvery = 5 * time.Second // DESIGN §5: a server's lease is renewed every 5 s and valid for 15 s
	purgeEvery = 10 * time.Minute
	purgeBatch = 1000 // executions deleted in one transaction, so that nobody waits long behind it
)

// upkeep renews this server's lease and removes what has expired, until ctx is done.
func (s *Server) upkeep(ctx context.Context) error {
	lease, purge := time.NewTicker(leaseEvery), time.NewTicker(purgeEvery)
	defer lease.Stop()
	defer purge.Stop()
	s.renew(ctx)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-lease.C:
			s.renew(ctx)
		case <-purge.C:
			s.purge(ctx)
		}
	}
}

func (s *Server) renew(ctx context.Context) {
	me := store.Server{ID: s.id, URL: s.url, StartedAt: s.started, Agents: s.dispatch.Online()}
	if err := s.store.RenewServer(ctx, me); err != nil && ctx.Err() == nil {
		s.cfg.Log.Error("server lease not renewed", "error", err)
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
