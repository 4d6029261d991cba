package storetest

import (
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// testRestored raises the generation: epochs are above all that were given, browsers are signed out, sessions of
// agents end but are remembered, and a second restore is above the first.
func testRestored(t *testing.T, s *store.Store) {
	a, err := Agent(s, "web-01")
	check(t, err)
	check(t, s.RenewServer(t.Context(), store.Server{ID: "srv_1", StartedAt: s.Now()}))
	open := octopus.AgentSession{AgentID: a.ID, ServerID: "srv_1", Incarnation: "i/journal", RemoteAddr: "10.0.0.1:1"}
	before, err := s.OpenSession(t.Context(), open, octopus.Facts{})
	check(t, err)
	if r := s.Restore(); r.Generation != 0 || r.Floor() != 0 {
		t.Fatalf("never restored: %+v", r)
	}
	backupAt := s.Now().Add(-time.Hour)
	first, err := s.MarkRestored(t.Context(), backupAt, 0, true)
	check(t, err)
	equal(t, "latest restore", s.Restore(), first)
	if !first.Requeue || !first.BackupAt.Equal(backupAt) || first.Settled || first.Floor() < 1<<23 || first.Floor() >= 1<<53 {
		t.Fatalf("restore %+v, floor %d", first, first.Floor())
	}
	stored, err := s.Agent(t.Context(), a.ID)
	check(t, err)
	equal(t, "online", stored.Connected, false)
	servers, err := s.Servers(t.Context())
	check(t, err)
	equal(t, "servers", len(servers), 0)
	after, err := s.OpenSession(t.Context(), open, octopus.Facts{})
	check(t, err)
	if after <= first.Floor() || after <= before {
		t.Fatalf("epoch %d after %d, floor %d", after, before, first.Floor())
	}
	sessions, err := s.AgentSessions(t.Context(), a.ID, 10)
	check(t, err)
	if len(sessions) != 2 || sessions[1].Epoch != before || sessions[1].DisconnectedAt.IsZero() || sessions[1].Incarnation != "i/journal" {
		t.Fatalf("sessions %+v", sessions)
	}
	check(t, s.RestoreSettled(t.Context()))
	equal(t, "settled", s.Restore().Settled, true)
	second, err := s.MarkRestored(t.Context(), backupAt, first.Generation+7, false)
	check(t, err)
	if second.Generation <= first.Generation+7 || second.Settled || second.Requeue {
		t.Fatalf("second restore %+v", second)
	}
}
