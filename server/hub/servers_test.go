package hub_test

import (
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
	"octopus/server/store/storetest"
)

// TestTwoServersWithoutABus share one PostgreSQL and nothing else: no hint ever travels between them.
func TestTwoServersWithoutABus(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	a := start(t, settings{path: url, first: true})
	b := start(t, settings{path: url})
	l, _ := b.enrol("web-01").connect()

	run := a.submit(nil) // its agent is connected to the other server
	o := expect[*wire.Offer](l)
	g := l.take(o)
	l.send(l.succeed(g, o.OfferSeq))
	if x := a.ended(run); x.Status != octopus.Succeeded || x.AgentName != "web-01" {
		t.Fatalf("%+v", x)
	}

	bound := a.submit(func(s *dispatch.Submission) {
		s.Target = octopus.Target{Mode: octopus.TargetAgent, Agent: "web-01"}
	})
	o = expect[*wire.Offer](l)
	l.take(o)
	if x, err := a.dispatch.Cancel(t.Context(), o.Execution, "ada"); err != nil || !x.Cancelling {
		t.Fatalf("%+v %v", x, err)
	}
	if c := expect[*wire.Cancel](l); c.Execution != o.Execution {
		t.Fatalf("%+v", c)
	}
	if x := b.execution(bound); x.Status != octopus.Running {
		t.Fatalf("%+v", x)
	}
}

// TestWorkIsClaimedOnce has two servers with agents work off one backlog.
func TestWorkIsClaimedOnce(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	a := start(t, settings{path: url, first: true})
	b := start(t, settings{path: url})
	var runs []octopus.Run
	for range 60 {
		runs = append(runs, a.submit(nil))
	}
	var links []*link
	var offers []*wire.Offer
	for _, s := range []*server{a, b} {
		l, _ := s.enrol("web").connect()
		links, offers = append(links, l), append(offers, expect[*wire.Offer](l)) // both have some before either works
	}
	for i, l := range links {
		done := make(chan struct{})
		l.send(&wire.Accept{Execution: offers[i].Execution, Fence: offers[i].Fence})
		go func() { defer close(done); l.work() }()
		t.Cleanup(func() { l.ws.CloseNow(); <-done })
	}
	agents := make(map[string]int)
	for _, run := range runs {
		x := a.ended(run)
		if x.Status != octopus.Succeeded || x.Attempt != 1 {
			t.Fatalf("%+v", x)
		}
		agents[x.AgentName]++
	}
	if len(agents) != 2 {
		t.Errorf("one server did it all: %v", agents)
	}
}

// TestADeadServersAgentsAreFollowed: what ran on agents of a server that died is judged by the others.
func TestADeadServersAgentsAreFollowed(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	a := start(t, settings{path: url, first: true})
	m := a.enrol("web-01")
	l, _ := m.connect()
	run := a.submit(func(s *dispatch.Submission) { s.LostAfter = 300 * time.Millisecond })
	l.take(expect[*wire.Offer](l))
	a.stop()
	b := start(t, settings{path: url, dispatch: dispatch.Config{Heartbeat: 50 * time.Millisecond}})
	if x := b.ended(run); x.Status != octopus.Lost || x.Reason.Code != "agent_silent" {
		t.Fatalf("%s %+v", x.Status, x.Reason)
	}
}
