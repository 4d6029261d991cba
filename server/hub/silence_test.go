package hub_test

import (
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
	"octopus/server/store/storetest"
)

// TestLostNotBeforeTheAgentGaveUp breaks a connection: the agent's own lease is what it was told makes it offline and
// lost_after, less a margin, so the server must wait for both.
func TestLostNotBeforeTheAgentGaveUp(t *testing.T) {
	t.Parallel()
	const heartbeat, lostAfter = brisk, 500 * time.Millisecond
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: heartbeat}})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(func(s *dispatch.Submission) { s.LostAfter = lostAfter })
	l.take(expect[*wire.Offer](l))
	heard := time.Now()
	l.send(&wire.Heartbeat{Seq: 1, Free: 3, LastOffer: 1})
	expect[*wire.HeartbeatAck](l)
	l.ws.CloseNow()
	x := s.ended(run)
	if silence := x.FinishedAt.Sub(heard); x.Status != octopus.Lost || silence < heartbeat*5/2+lostAfter {
		t.Fatalf("%s after %s of silence", x.Status, silence)
	}
}

// TestHeardByAnotherServer has two servers judge one agent: what one of them heard counts for both.
func TestHeardByAnotherServer(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	slow := dispatch.Config{Heartbeat: brisk}
	a := start(t, settings{path: url, first: true, dispatch: slow})
	m := a.enrol("web-01")
	l, _ := m.connect()
	run := a.submit(func(s *dispatch.Submission) { s.LostAfter = 500 * time.Millisecond })
	g := l.take(expect[*wire.Offer](l))
	l.ws.CloseNow()
	a.eventually("it is offline", func() bool { _, here := a.dispatch.Presence(m.id); return !here })
	b := start(t, settings{path: url, dispatch: slow}) // has known since now that the agent is nowhere
	began := time.Now()
	l, _ = m.connect(wire.Item{Execution: g.Execution, Fence: g.Fence, Attempt: g.Attempt, Phase: wire.PhaseStarted})
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	var heard time.Time
	for seq := int64(1); time.Since(began) < brisk*5/2; seq++ {
		<-every.C
		heard = time.Now()
		l.send(&wire.Heartbeat{Seq: seq, Free: 3})
	}
	l.ws.CloseNow()
	x := b.ended(run)
	if silence := x.FinishedAt.Sub(heard); x.Status != octopus.Lost || silence < brisk*5/2+400*time.Millisecond {
		t.Fatalf("%s after %s of silence", x.Status, silence)
	}
}
