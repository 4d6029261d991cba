package hub_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/stall"
	"octopus/internal/wire"
	"octopus/server/dispatch"
	"octopus/server/hub"
)

func TestWholePathByPolls(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{})
	p := s.enrol("web-01").polling()
	p.open()
	run := s.submit(nil)
	o := awaited[*wire.Offer](p)
	g := p.accept(o)
	r := p.result(g, o.OfferSeq)
	p.send(p.next(0, &wire.Log{Execution: g.Execution, Attempt: 1, Fence: g.Fence, Seq: 1, Stream: "stderr", Lines: []wire.LogLine{{Text: "one"}}}, r))
	if a := awaited[*wire.ResultAck](p); a.Verdict != wire.VerdictCommitted {
		t.Fatalf("%+v", a)
	}
	if x := s.ended(run); x.Status != octopus.Succeeded || x.LastLog != "one" {
		t.Fatalf("%+v", x)
	}
	a, err := s.store.Agent(t.Context(), p.id)
	if err != nil || a.Facts.Transport != octopus.TransportHTTP {
		t.Errorf("%+v %v", a.Facts, err)
	}
	if status := p.send(&wire.Poll{Session: p.session, Number: p.number + 1, Ack: p.ack, Bye: "the agent stops"}).status; status != 200 {
		t.Errorf("goodbye: %d", status)
	}
	s.eventually("it is offline", func() bool { return s.dispatch.Online() == 0 })
	sessions, err := s.store.AgentSessions(t.Context(), p.id, 5)
	if err != nil || len(sessions) != 1 {
		t.Fatalf("%+v %v", sessions, err)
	}
	s.eventually("its session is closed", func() bool {
		sessions, err := s.store.AgentSessions(t.Context(), p.id, 5)
		return err == nil && sessions[0].Cause == "the agent stops"
	})
}

// TestOfferByPollIsQuick measures from the submission to the offer at an agent whose poll waits.
func TestOfferByPollIsQuick(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{dispatch: dispatch.Config{OfferTTL: time.Hour}}) // none is made again: they are never accepted
	p := s.enrol("web-01").polling()
	p.slots = 100
	p.open()
	var took []time.Duration
	stalled := stall.Watch(t)
	for range 20 {
		got := make(chan *wire.Offer)
		go func() { got <- awaited[*wire.Offer](p) }()
		s.eventually("the poll waits", func() bool { return s.hub.Polling() == 1 })
		from := time.Now()
		s.submit(nil)
		<-got
		took = append(took, time.Since(from))
	}
	slices.Sort(took)
	t.Logf("an offer by long poll: median %s, longest %s", took[10], took[19])
	if took[10] > time.Second+stalled()/10 {
		t.Errorf("an offer took %s", took[10])
	}
}

// TestALostAnswerLosesNothing repeats what a lost answer carried, and a doubled request is taken in once.
func TestALostAnswerLosesNothing(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{})
	p := s.enrol("web-01").polling()
	p.open()
	awaited[*wire.Prefetch](p) // the last that a hello brings: what comes next is the offer alone
	s.submit(nil)
	first := p.next(20 * time.Second)
	lost := p.send(first)
	if len(lost.Frames) != 1 {
		t.Fatalf("%+v", lost)
	}
	o := p.inbox[len(p.inbox)-1].(*wire.Offer)
	p.ack, p.inbox = p.ack-1, nil // as if it had not come
	again := p.send(p.next(time.Second))
	if len(again.Frames) != 1 || again.Seq != lost.Seq || string(again.Frames[0]) != string(lost.Frames[0]) {
		t.Fatalf("%+v is not %+v again", again, lost)
	}

	accept := p.next(0, &wire.Accept{Execution: o.Execution, Fence: o.Fence})
	p.send(accept)
	g := awaited[*wire.Go](p)
	result := p.next(0, p.result(g, o.OfferSeq))
	p.send(result)
	if a := awaited[*wire.ResultAck](p); a.Verdict != wire.VerdictCommitted {
		t.Fatalf("%+v", a)
	}
	// The agent did not hear that its result arrived, and sends it again: with another poll, under the same number.
	p.number++
	doubled := *result
	doubled.Number, doubled.Ack = p.number, p.ack
	if a := p.send(&doubled); a.status != 200 || a.Ack != p.seq || len(a.Frames) != 0 {
		t.Fatalf("a doubled result was answered: %+v", a)
	}
}

func isAck(m wire.Message) bool {
	_, ok := m.(*wire.HeartbeatAck)
	return ok
}

func TestGapsAreNamed(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{})
	p := s.enrol("web-01").polling()
	p.open()
	p.inbox = nil
	poll := p.next(0, &wire.Heartbeat{Seq: 1}, &wire.Heartbeat{Seq: 2})
	poll.Seq++ // the first of them never came
	if a := p.send(poll); a.status != 200 || a.Ack != 1 || slices.ContainsFunc(p.inbox, isAck) {
		t.Fatalf("%+v %v", a, p.inbox)
	}
	p.seq = 1
	p.send(p.next(0, &wire.Heartbeat{Seq: 1}, &wire.Heartbeat{Seq: 2}))
	if a, b := awaited[*wire.HeartbeatAck](p), awaited[*wire.HeartbeatAck](p); a.Seq != 1 || b.Seq != 2 {
		t.Fatalf("%+v %+v", a, b)
	}
}

func TestTheNewestPollWins(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{})
	p := s.enrol("web-01").polling()
	p.open()
	awaited[*wire.Prefetch](p) // the last that a hello brings
	older, first := p.parked(t.Context())
	newer, second := p.next(20*time.Second), make(chan answered, 1)
	go func() { second <- p.polled(newer) }()
	if a := <-first; a.status != 200 || len(a.Frames) != 0 {
		t.Fatalf("the older poll: %+v", a)
	}
	s.submit(nil)
	if a := <-second; a.status != 200 || len(a.Frames) != 1 {
		t.Fatalf("the newer poll: %+v", a)
	}
	if a := p.polled(older); a.status != 409 || !strings.Contains(a.detail, "newer poll") {
		t.Fatalf("a poll that comes late: %+v", a)
	}
}

// polled is send without taking anything in: for polls side by side.
func (p *polling) polled(poll *wire.Poll) answered {
	body, err := wire.EncodePoll(poll)
	if err != nil {
		p.t.Error(err)
	}
	return p.post(context.Background(), body, p.sign(http.MethodPost, wire.PathHeartbeat))
}

func TestTakeoverBetweenSocketAndPolls(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{})
	m := s.enrol("web-01")
	l, _ := m.connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](l)
	g := l.take(o)
	held := wire.Item{Execution: g.Execution, Fence: g.Fence, Attempt: 1, Phase: wire.PhaseStarted}

	p := m.polling()
	if a := p.open(held); a.Items[0].Answer != wire.AnswerKeep {
		t.Fatalf("%+v", a)
	}
	if e := l.closed(); e.Code != wire.CloseSuperseded {
		t.Fatalf("the socket: %+v", e)
	}
	before, _ := s.dispatch.Presence(m.id)
	awaited[*wire.Prefetch](p) // the last that a hello brings
	_, waiting := p.parked(t.Context())
	l, answer := m.connect(held)
	if answer.Items[0].Answer != wire.AnswerKeep {
		t.Fatalf("%+v", answer)
	}
	if a := <-waiting; a.Close == nil || a.Close.Code != wire.CloseSuperseded {
		t.Fatalf("the poll: %+v", a)
	}
	if after, _ := s.dispatch.Presence(m.id); after.Epoch != before.Epoch+1 {
		t.Errorf("epoch %d after %d", after.Epoch, before.Epoch)
	}
	s.eventually("one connection is left", func() bool { return s.hub.Connections() == 1 })
	if a := p.send(p.next(time.Second)); a.status != 412 {
		t.Fatalf("a poll of the session that was taken over: %+v", a)
	}
	l.send(l.succeed(g, o.OfferSeq))
	if x := s.ended(run); x.Status != octopus.Succeeded || x.Attempt != 1 {
		t.Fatalf("%+v", x)
	}
}

func TestTwoPollersOneKey(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{hub: hub.Config{PingWithin: 10 * time.Second, PollWithin: 12 * time.Second}})
	m := s.enrol("web-01")
	p := m.polling()
	p.open()
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() { // it lives
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				p.send(p.next(10 * time.Second))
			}
		}
	}()
	copied := *m
	copied.incarnation = "another"
	q := copied.polling()
	hello := &wire.Hello{Agent: q.id, Incarnation: q.incarnation, JournalID: "other", Version: wire.Version, Facts: q.facts(), Free: 1, End: true}
	if a := q.send(q.next(0, hello)); a.status != 409 || !strings.Contains(a.detail, "web-01 runs on two machines") {
		t.Errorf("%+v", a)
	}
	copied.want(copied.sign(http.MethodGet, wire.PathConnect), 409, "web-01 runs on two machines")
	close(stop)
	s.submit(nil) // ends the poll that waits
	<-done
	s.eventually("the other may come once the first has gone", func() bool {
		q = copied.polling()
		return q.send(q.next(0, hello)).status == 200
	})
}

func TestSilentPollersGo(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{hub: hub.Config{PollWithin: 10 * time.Second}}) // 4 s for one that breaks off
	p := s.enrol("web-01").polling()
	p.open()
	awaited[*wire.Prefetch](p) // the last that a hello brings
	ctx, cancel := context.WithCancel(t.Context())
	_, done := p.parked(ctx)
	stalled, from := stall.Watch(t), time.Now()
	cancel() // its process was killed
	<-done
	s.eventually("it is offline", func() bool { return s.dispatch.Online() == 0 })
	if took := time.Since(from); took > 6*time.Second+stalled() {
		t.Errorf("that took %s", took)
	}
	s.eventually("nothing is left of it", func() bool { return s.hub.Connections() == 0 })
}

func TestRefusedPolls(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{hub: hub.Config{HelloWithin: 300 * time.Millisecond}})
	p := s.enrol("web-01").polling()
	hello := func() *wire.Poll {
		q := p.machine.polling()
		return q.next(0, &wire.Hello{Agent: p.id, Incarnation: p.incarnation, JournalID: "j", Version: wire.Version, Facts: p.facts(), Free: 1, End: true})
	}
	body := func(poll *wire.Poll) []byte {
		raw, err := wire.EncodePoll(poll)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	signed := func(change func(http.Header)) http.Header {
		h := p.sign(http.MethodPost, wire.PathHeartbeat)
		if change != nil {
			change(h)
		}
		return h
	}
	stranger := hello()
	stranger.Frames[0] = []byte(`{"t":"heartbeat","seq":1}`)
	noHello := p.machine.polling()
	unknown := hello()
	unknown.Ack = 3
	for name, c := range map[string]struct {
		body    []byte
		headers http.Header
		status  int
		says    string
	}{
		"browser":          {body(hello()), signed(func(h http.Header) { h.Set("Origin", "https://evil.example") }), 403, "agents"},
		"no version":       {body(hello()), signed(func(h http.Header) { h.Del(wire.HeaderVersion) }), 426, "Update the agent"},
		"unsigned":         {body(hello()), signed(func(h http.Header) { h.Del(wire.HeaderSignature) }), 401, "lacks"},
		"another host":     {body(hello()), signed(func(h http.Header) { h.Set(wire.HeaderHost, "other.example") }), 403, "other.example"},
		"signed for a GET": {body(hello()), p.sign(http.MethodGet, wire.PathHeartbeat), 401, "signature"},
		"oversized":        {[]byte(strings.Repeat("x", wire.MaxPoll+1)), signed(nil), 413, "1024 KiB"},
		"malformed":        {[]byte(`{"session":`), signed(nil), 400, "malformed"},
		"no hello":         {body(noHello.next(0)), signed(nil), 412, "Open a new one"},
		"unknown session":  {body(unknown), signed(nil), 412, "Open a new one"},
	} {
		if a := p.post(t.Context(), c.body, c.headers); a.status != c.status || !strings.Contains(a.detail, c.says) {
			t.Errorf("%s: %d %q, not %d … %q", name, a.status, a.detail, c.status, c.says)
		}
	}
	if a := p.post(t.Context(), body(stranger), signed(nil)); a.Close == nil || !strings.Contains(a.Close.Reason, "hello") {
		t.Errorf("no hello comes first: %+v", a)
	}
	headers := signed(nil)
	if a := p.post(t.Context(), body(hello()), headers); a.status != 200 {
		t.Fatalf("%+v", a)
	}
	if a := p.post(t.Context(), body(hello()), headers); a.status != 401 || !strings.Contains(a.detail, "used before") {
		t.Errorf("replayed: %+v", a)
	}
}

// TestPollsThatBreakTheProtocol end the session as a bad frame ends a socket.
func TestPollsThatBreakTheProtocol(t *testing.T) {
	t.Parallel()
	s := startPatient(t, settings{})
	for name, c := range map[string]struct {
		frame, says string
	}{
		"wrong field":      {`{"t":"accept","fence":"x"}`, "accept frame is malformed"},
		"server's message": {`{"t":"go"}`, "does not send"},
		"not an object":    {`5`, "not a JSON object"},
	} {
		p := s.enrol(strings.ReplaceAll(name, " ", "-")).polling()
		p.open()
		poll := p.next(0, &wire.Heartbeat{Seq: 1})
		poll.Frames[0] = []byte(c.frame)
		if e := p.closing(t, poll); e.Code != 1008 || !strings.Contains(e.Reason, c.says) {
			t.Errorf("%s: %+v", name, e)
		}
	}
	p := s.enrol("liar").polling()
	p.open()
	p.ack = 1000
	if a := p.send(p.next(0)); a.status != 400 || !strings.Contains(a.detail, "not sent") {
		t.Errorf("%+v", a)
	}
	s.eventually("all are gone", func() bool { return s.hub.Connections() <= 1 })
}

// TestAPollerThatDoesNotRead costs a bounded queue: it polls, so that it seems alive, but acknowledges nothing.
func TestAPollerThatDoesNotRead(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it takes the 10 s that a write may take")
	}
	s := startPatient(t, settings{dispatch: dispatch.Config{Heartbeat: time.Minute}})
	p := s.enrol("web-01").polling()
	p.open()
	stuck := p.ack
	beats := make([]wire.Message, 50)
	for i := range beats {
		beats[i] = &wire.Heartbeat{Seq: int64(i)}
	}
	s.eventually("it is cut off", func() bool {
		p.ack = stuck
		a := p.polled(p.next(0, beats...))
		if a.Polled != nil && len(a.Frames) > 64 {
			t.Fatalf("%d frames wait", len(a.Frames))
		}
		return s.hub.Connections() == 0
	})
}
