package server

import (
	"context"
	"time"

	"octopus/internal/version"
	"octopus/server/store"
)

// Times of the housekeeping.
const (
	leaseEvery = 5 * time.Second  // DESIGN §5: a server's lease is renewed every 5 s …
	leaseTTL   = 15 * time.Second // … and valid for 15 s
	probeEvery = time.Second
	purgeEvery = 10 * time.Minute
	purgeBatch = 1000 // runs deleted in one transaction, so that nobody waits long behind it
)

// keepLease renews this server's lease until ctx is done. When a renewal comes too late, other servers may have
// taken its agents for gone: it sends them away, and they come back to a session that everybody knows.
func (s *Server) keepLease(ctx context.Context) error {
	tick := time.NewTicker(leaseEvery)
	defer tick.Stop()
	renewed := time.Now() // when the last renewal that came through began: the database's stamp is no older
	s.renew(ctx)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			began := time.Now()
			if !s.renew(ctx) {
				continue
			}
			if late := elapsed(renewed, time.Now()) - leaseTTL; late > 0 && s.store.Dialect() != "sqlite" { // there is no other server
				s.cfg.Log.Warn("the server's lease was renewed late: agents are sent away and come back", "late", late)
				s.hub.SendAway("The server's lease had run out. Come back.")
			}
			renewed = began
		}
	}
}

// elapsed is the longer of what both clocks say: the monotonic one stands still while a machine sleeps, and the other
// one can be set back.
func elapsed(from, to time.Time) time.Duration {
	return max(to.Sub(from), to.Round(0).Sub(from.Round(0)))
}

// renew renews the lease and reports whether it could.
func (s *Server) renew(ctx context.Context) bool {
	me := store.Server{ID: s.id, URL: s.url, Version: version.Version, StartedAt: s.started, Agents: s.dispatch.Online()}
	if err := s.store.RenewServer(ctx, me); err != nil {
		if ctx.Err() == nil {
			s.cfg.Log.Error("server lease not renewed", "error", err)
		}
		return false
	}
	return true
}

// watchDisk ends the server when the database can acknowledge nothing any more. Only a new process, which reads the
// files again, knows what is on the disk.
func (s *Server) watchDisk(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s.store.Failed():
		return s.store.Err()
	}
}

// watchSpace looks each second whether a full disk has space again, so that what waits for it goes on at once.
func (s *Server) watchSpace(ctx context.Context) error {
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			if s.store.NoSpace() {
				_ = s.store.Probe(ctx) // the store notes, and says once, how it went
			}
		}
	}
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

// purge removes executions, join tokens and servers beyond their retention, executions a batch at a time, and everything
// that has expired.
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
	if _, err := s.store.PurgeExpired(ctx, before); err != nil {
		s.cfg.Log.Error("expired rows not purged", "error", err)
	}
}
