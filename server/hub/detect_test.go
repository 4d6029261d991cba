package hub_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/stall"
	"octopus/internal/wire"
	"octopus/server/dispatch"
	"octopus/server/hub"
	"octopus/server/store"
)

// offline waits until the server takes an agent for gone, in memory and in the database, and says how long it took.
func (s *server) offline(m *machine, from time.Time) time.Duration {
	s.t.Helper()
	s.eventually(m.name+" is offline", func() bool {
		if _, here := s.dispatch.Presence(m.id); here {
			return false
		}
		a, err := s.store.Agent(s.t.Context(), m.id)
		return err == nil && !a.Connected
	})
	return time.Since(from)
}

// TestAKilledAgentIsOfflineAtOnce: the end of its connection is enough.
func TestAKilledAgentIsOfflineAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: time.Minute}})
	l, _ := s.enrol("web-01").connect()
	stalled, from := stall.Watch(t), time.Now()
	l.ws.CloseNow()
	if took := s.offline(l.machine, from); took > 2*time.Second+stalled() {
		t.Errorf("that took %s", took)
	}
}

// TestAHalfOpenConnectionIsNoticed within two and a half heartbeats, and the sweep.
func TestAHalfOpenConnectionIsNoticed(t *testing.T) {
	t.Parallel()
	const heartbeat = time.Second
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: heartbeat}})
	l, _ := s.enrol("web-01").connect() // and then not a word, though the socket stays open
	stalled, from := stall.Watch(t), time.Now()
	if took := s.offline(l.machine, from); took < heartbeat || took > heartbeat*5/2+time.Second+stalled() {
		t.Errorf("that took %s", took)
	}
}

// TestAnAgentThatRestartsTooFastToNotice looks alive: its old connection is still open on this side, and it is back
// before a heartbeat is missed. What its last process ran must end all the same.
func TestAnAgentThatRestartsTooFastToNotice(t *testing.T) {
	t.Parallel()
	s := start(t, settings{
		dispatch: dispatch.Config{Heartbeat: time.Minute, RetryBackoff: 10 * time.Millisecond}, hub: hub.Config{PingWithin: 200 * time.Millisecond},
	})
	m := s.enrol("web-01")
	old := m.deaf() // once nobody reads, its pings go unanswered
	old.hello()
	heard[*wire.HelloAnswer](old)
	begin := func(change func(*dispatch.Submission)) (octopus.Run, *wire.Go) {
		run := s.submit(change)
		o := heard[*wire.Offer](old)
		old.send(&wire.Accept{Execution: o.Execution, Fence: o.Fence})
		return run, heard[*wire.Go](old)
	}
	lost, gone := begin(nil)
	again, retried := begin(func(s *dispatch.Submission) { s.Action, s.OnLost, s.MaxAttempts = "again", octopus.OnLostRetry, 2 })
	never, unknown := begin(nil)
	// The process died, but its machine's goodbye was lost.
	m.incarnation = "the next process"
	l, answer := m.connect(
		wire.Item{Execution: gone.Execution, Fence: gone.Fence, Attempt: 1, Phase: wire.PhaseDone},
		wire.Item{Execution: retried.Execution, Fence: retried.Fence, Attempt: 1, Phase: wire.PhaseDone},
	)
	for _, it := range answer.Items {
		if it.Answer != wire.AnswerSendResult {
			t.Errorf("%+v", it)
		}
	}
	l.doubted(
		wire.Item{Execution: gone.Execution, Fence: gone.Fence, Attempt: 1, Phase: wire.PhaseDone},
		wire.Item{Execution: retried.Execution, Fence: retried.Fence, Attempt: 1, Phase: wire.PhaseDone},
	)
	for _, g := range []*wire.Go{gone, retried} {
		l.send(&wire.Result{Execution: g.Execution, Attempt: 1, Fence: g.Fence, Outcome: octopus.Lost, Reason: "agent_restarted", Free: 4})
	}
	if x := s.ended(lost); x.Status != octopus.Lost || x.Reason.Code != "agent_restarted" {
		t.Errorf("%s %+v", x.Status, x.Reason)
	}
	// One is tried again; the other, which the journal does not know, never began.
	for range 2 {
		o := expect[*wire.Offer](l)
		g := l.take(o)
		if g.Execution == unknown.Execution && g.Fence <= unknown.Fence || g.Execution == retried.Execution && g.Attempt != 2 {
			t.Errorf("%+v", g)
		}
		l.send(l.succeed(g, o.OfferSeq))
	}
	for _, run := range []octopus.Run{again, never} {
		if x := s.ended(run); x.Status != octopus.Succeeded {
			t.Errorf("%s %+v", x.Status, x.Reason)
		}
	}
}

// deaf opens a socket that is read only when a test asks for it.
func (m *machine) deaf() *link {
	m.t.Helper()
	ws, _, err := websocket.Dial(m.t.Context(), m.server.http.URL+wire.PathConnect, &websocket.DialOptions{
		HTTPHeader: m.sign(http.MethodGet, wire.PathConnect), Subprotocols: []string{wire.Subprotocol}, HTTPClient: m.server.http.Client()})
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { ws.CloseNow() })
	return &link{machine: m, ws: ws}
}

// heard is expect for a socket that nobody else reads.
func heard[T wire.Message](l *link) T {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	for {
		_, frame, err := l.ws.Read(ctx)
		if err != nil {
			l.t.Fatal(err)
		}
		m, err := wire.Decode(frame)
		if want, ok := m.(T); ok && err == nil {
			return want
		}
	}
}

// TestAKillOfAWorkerThatIsNoMore: the agent lives and confirms the cancel, but there is nothing that could end.
func TestAKillOfAWorkerThatIsNoMore(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: time.Minute}})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](l)
	g := l.take(o)
	if _, err := s.dispatch.Cancel(t.Context(), g.Execution, "ada"); err != nil {
		t.Fatal(err)
	}
	expect[*wire.Cancel](l)
	l.send(&wire.CancelAck{Execution: g.Execution, Fence: g.Fence})
	asked := false
	for i := int64(1); i <= 5 && !asked; i++ { // its heartbeats say that it holds nothing
		l.send(&wire.Heartbeat{Seq: i, Free: 4, LastOffer: o.OfferSeq})
		asked = expect[*wire.HeartbeatAck](l).Rehello
	}
	if !asked {
		t.Fatal("the server does not ask what the agent holds")
	}
	l.hello()
	if x := s.ended(run); x.Status != octopus.Cancelled {
		t.Errorf("%s %+v", x.Status, x.Reason)
	}
}

// TestAKillOfAnAgentThatIsNoMore waits no longer than for any agent that is silent.
func TestAKillOfAnAgentThatIsNoMore(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: brisk}})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(func(s *dispatch.Submission) { s.LostAfter = 300 * time.Millisecond })
	g := l.take(expect[*wire.Offer](l))
	l.ws.CloseNow()
	s.offline(l.machine, time.Now())
	if x, err := s.dispatch.Cancel(t.Context(), g.Execution, "ada"); err != nil || !x.Cancelling {
		t.Fatalf("%+v %v", x, err)
	}
	if x := s.ended(run); x.Status != octopus.Lost || x.Reason.Code != "cancel_not_confirmed" {
		t.Errorf("%s %+v", x.Status, x.Reason)
	}
}

// TestAKilledRunGivesItsSlotBack: an agent with one slot gets the next work as soon as the killed has ended, and not
// before it says so.
func TestAKilledRunGivesItsSlotBack(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(*server, string) error{
		"cancelled":    func(s *server, id string) error { _, err := s.dispatch.Cancel(t.Context(), id, "ada"); return err },
		"force-closed": func(s *server, id string) error { _, err := s.dispatch.ForceClose(t.Context(), id, "ada"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, settings{})
			m := s.enrol("web-01")
			m.slots = 1
			l, _ := m.connect()
			run := s.submit(nil)
			o := expect[*wire.Offer](l)
			g := l.take(o)
			waits := s.submit(nil)
			if err := kill(s, g.Execution); err != nil {
				t.Fatal(err)
			}
			expect[*wire.Cancel](l)
			l.send(&wire.CancelAck{Execution: g.Execution, Fence: g.Fence})
			if p, _ := s.dispatch.Presence(m.id); p.Free != 0 || s.execution(waits).Status != octopus.Queued {
				t.Errorf("the slot was given away while the agent still held it: %+v", p)
			}
			r := l.succeed(g, o.OfferSeq)
			r.Outcome, r.Response, r.Free = octopus.Cancelled, nil, 1
			l.send(r)
			next := expect[*wire.Offer](l)
			if next.Execution != s.execution(waits).ID {
				t.Errorf("%+v", next)
			}
			if x := s.ended(run); x.Status != octopus.Cancelled {
				t.Errorf("%s %+v", x.Status, x.Reason)
			}
		})
	}
}

// TestALateReportFlipsNothing: the agent was given up, and comes back with a true result.
func TestALateReportFlipsNothing(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: brisk}})
	m := s.enrol("web-01")
	l, _ := m.connect()
	run := s.submit(func(s *dispatch.Submission) { s.LostAfter = 300 * time.Millisecond })
	g := l.take(expect[*wire.Offer](l))
	l.ws.CloseNow()
	before := s.ended(run)
	if before.Status != octopus.Lost {
		t.Fatalf("%s %+v", before.Status, before.Reason)
	}
	l, answer := m.connect(wire.Item{Execution: g.Execution, Fence: g.Fence, Attempt: 1, Phase: wire.PhaseDone})
	if answer.Items[0].Answer != wire.AnswerSendResult {
		t.Fatalf("%+v", answer.Items)
	}
	for range 2 { // and says it twice
		l.send(l.succeed(g, 0))
		if a := expect[*wire.ResultAck](l); a.Verdict != wire.VerdictSuperseded && a.Verdict != wire.VerdictStale {
			t.Errorf("%+v", a)
		}
	}
	after, err := s.store.Execution(t.Context(), g.Execution)
	if err != nil || after.Status != octopus.Lost || !after.FinishedAt.Equal(before.FinishedAt) || len(after.Response) != len(before.Response) {
		t.Errorf("%+v became %+v: %v", before, after, err)
	}
	r, err := s.store.Run(t.Context(), run.ID)
	if err != nil || r.Status() != octopus.RunFailed {
		t.Errorf("the run: %+v %v", r, err)
	}
	if list, _, err := s.store.RunExecutions(t.Context(), run.ID, store.Page{Limit: 10}); err != nil || len(list) != 1 {
		t.Errorf("%d executions: %v", len(list), err)
	}
	evidence, err := s.store.Evidence(t.Context(), g.Execution)
	if err != nil || len(evidence) == 0 {
		t.Errorf("%d pieces of evidence: %v", len(evidence), err)
	}
}
