package hub_test

import (
	"context"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/stall"
	"octopus/internal/wire"
	"octopus/server/bus"
	"octopus/server/dispatch"
	"octopus/server/store/storetest"
)

// buses are what servers may have between them: nothing, or something that loses, doubles, delays and reorders.
var buses = map[string]func(*testing.T) bus.Bus{
	"none": func(*testing.T) bus.Bus { return nil },
	"chaotic": func(t *testing.T) bus.Bus {
		b := bus.NewChaos(1)
		t.Cleanup(b.Close)
		return b
	},
}

// TestTwoServersWithoutABus share one PostgreSQL, and no hint between them can be relied on.
func TestTwoServersWithoutABus(t *testing.T) {
	t.Parallel()
	for name, between := range buses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			twoServers(t, between(t))
		})
	}
}

func twoServers(t *testing.T, between bus.Bus) {
	url := storetest.Postgres(t)
	a := start(t, settings{path: url, first: true, bus: between})
	b := start(t, settings{path: url, bus: between})
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
	for name, between := range buses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claimedOnce(t, between(t))
		})
	}
}

func claimedOnce(t *testing.T, between bus.Bus) {
	url := storetest.Postgres(t)
	a := start(t, settings{path: url, first: true, bus: between})
	b := start(t, settings{path: url, bus: between})
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

// TestADrainingServerIsLeftForAnother: its agents are asked to open another connection while this one still serves.
func TestADrainingServerIsLeftForAnother(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	a := start(t, settings{path: url, first: true})
	b := start(t, settings{path: url})
	m := a.enrol("web-01")
	l, _ := m.connect()
	run := a.submit(nil)
	o := expect[*wire.Offer](l)
	g := l.take(o)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		a.hub.Drain(context.Background())
	}()
	expect[*wire.Drain](l)
	l.send(&wire.Heartbeat{Seq: 1, Free: 3, LastOffer: o.OfferSeq})
	if ack := expect[*wire.HeartbeatAck](l); ack.Seq != 1 { // it still serves
		t.Errorf("%+v", ack)
	}
	m.server = b
	next, answer := m.connect(wire.Item{Execution: g.Execution, Fence: g.Fence, Attempt: 1, Phase: wire.PhaseStarted})
	if answer.Items[0].Answer != wire.AnswerKeep {
		t.Errorf("%+v", answer.Items)
	}
	stalled, from := stall.Watch(t), time.Now()
	l.ws.CloseNow()
	<-drained
	if took := time.Since(from); took > 2*time.Second+stalled() {
		t.Errorf("the server stopped %s after its last agent had left", took)
	}
	next.send(next.succeed(g, 0))
	if x := b.ended(run); x.Status != octopus.Succeeded || x.Attempt != 1 {
		t.Errorf("%s %+v", x.Status, x.Reason)
	}
	if after, err := b.store.Agent(t.Context(), m.id); err != nil || !after.Connected {
		t.Errorf("the agent counts as gone: %v", err)
	}
}
