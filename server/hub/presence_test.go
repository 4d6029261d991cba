package hub_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
	"octopus/server/dispatch"
)

func TestHeartbeatsReachNoDatabase(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{Sweep: time.Hour}}) // the sweeper's own look at the timers is not a heartbeat's
	l, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	g := l.take(expect[*wire.Offer](l))
	s.eventually("everything is written", func() bool { return s.execution(run).Status == octopus.Running })
	s.settled()
	held := wire.DigestItems([]wire.Item{{Execution: g.Execution, Fence: g.Fence}})
	before := s.store.Statements()
	for i := range int64(1000) {
		l.send(&wire.Heartbeat{Seq: i, Free: 3, LastOffer: 1, Digest: held, Load: 0.5})
		if a := expect[*wire.HeartbeatAck](l); a.Seq != i || a.Rehello {
			t.Fatalf("%+v", a)
		}
	}
	if n := s.store.Statements() - before; n != 0 {
		t.Errorf("1000 heartbeats made %d statements", n)
	}
	p, ok := s.dispatch.Presence(l.id)
	if !ok || p.Free != 3 || p.Load != 0.5 || len(p.Running) != 1 || p.Slots != 4 {
		t.Errorf("%+v", p)
	}
}

func TestTwoMismatchesAskForAHello(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](l)
	l.take(o)
	ask := func(digest string) bool {
		l.send(&wire.Heartbeat{Seq: 1, Free: 4, LastOffer: o.OfferSeq, Digest: digest})
		return expect[*wire.HeartbeatAck](l).Rehello
	}
	// The agent lost it (its journal is intact and does not know it): nothing until two quiet heartbeats disagree.
	if first, second, third := ask(""), ask(""), ask(""); first || second || !third {
		t.Fatal("not exactly two mismatches after the quiet began")
	}
	l.hello()
	a := expect[*wire.HelloAnswer](l)
	if !a.End || len(a.Items) != 0 {
		t.Fatalf("%+v", a)
	}
	again := expect[*wire.Offer](l)
	if again.Execution != s.execution(run).ID || again.Fence <= o.Fence {
		t.Fatalf("%+v", again)
	}
}

func TestALateHelloLosesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](l)
	l.hello() // sent before the accept: of what came later it says nothing
	l.send(&wire.Accept{Execution: o.Execution, Fence: o.Fence})
	var g *wire.Go
	for answered := false; g == nil || !answered; {
		switch m := expect[wire.Message](l).(type) {
		case *wire.Go:
			g = m
		case *wire.HelloAnswer:
			answered = true
		}
	}
	l.send(l.succeed(g, o.OfferSeq))
	if x := s.ended(run); x.Status != octopus.Succeeded || x.Attempt != 1 {
		t.Fatalf("%+v", x)
	}
}

func TestPagesOfAHello(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("web-01")
	l, _, err := m.dial(m.sign("GET", wire.PathConnect))
	if err != nil {
		t.Fatal(err)
	}
	page := func(n int, end bool) *wire.Hello {
		h := &wire.Hello{Agent: m.id, Incarnation: m.incarnation, JournalID: m.journal, Version: wire.Version, Free: 4, End: end}
		for range n {
			h.Items = append(h.Items, wire.Item{Execution: octopus.NewID(octopus.PrefixExecution, time.Now()), Fence: 1, Phase: wire.PhaseDone})
		}
		return h
	}
	l.send(page(500, false))
	l.send(page(100, true))
	first, second := expect[*wire.HelloAnswer](l), expect[*wire.HelloAnswer](l)
	if len(first.Items) != 500 || first.End || len(second.Items) != 100 || !second.End || first.Items[0].Answer != wire.AnswerDiscard {
		t.Fatalf("%d %v, %d %v", len(first.Items), first.End, len(second.Items), second.End)
	}
	l.send(page(501, true))
	if e := l.closed(); !strings.Contains(e.Reason, "too many") {
		t.Fatalf("%+v", e)
	}
}

func TestWhatConnectedAgentsAreTold(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: -1}}) // the product's own
	entry := octopus.CacheEntry{Region: "broadcast", Key: "motd", Value: json.RawMessage(`"hello"`), ExpiresAt: time.Now().Add(time.Hour)}
	if err := s.store.CachePut(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	m := s.enrol("web-01")
	l, _, err := m.dial(m.sign("GET", wire.PathConnect))
	if err != nil {
		t.Fatal(err)
	}
	l.hello()
	if w := expect[*wire.Welcome](l); w.Name != "web-01" || w.HeartbeatMS != 10_000 || w.OfflineMS != 25_000 || w.FirstAfterMS > 10_000 {
		t.Errorf("%+v", w)
	}
	if b := expect[*wire.Broadcast](l); !b.Reset || len(b.Entries) != 1 || b.Entries[0].Name != "motd" || string(b.Entries[0].Value) != `"hello"` {
		t.Errorf("%+v", b)
	}
	if p := expect[*wire.Prefetch](l); len(p.Modules) != 1 || p.Modules[0].Plugin != "probe" || p.Modules[0].Size == 0 {
		t.Errorf("%+v", p)
	}
	s.publish(manifest("second"))
	s.eventually("the new plugin is prefetched", func() bool { return len(expect[*wire.Prefetch](l).Modules) == 2 })

	s.setAgent(m.id, func(a *octopus.Agent) { a.Name = "web-one" })
	if e := expect[*wire.Settings](l); e.Name != "web-one" {
		t.Errorf("%+v", e)
	}
	if err := s.dispatch.RestartAgent(t.Context(), m.id, "ada"); err != nil {
		t.Error(err)
	}
	expect[*wire.Restart](l)
	s.setAgent(m.id, func(a *octopus.Agent) { a.Revoked = true })
	if e := l.closed(); e.Code != wire.CloseAuth {
		t.Errorf("%+v", e)
	}
	if err := s.dispatch.RestartAgent(t.Context(), m.id, "ada"); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Error(err)
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("web-01")
	l, _ := m.connect()
	s.hub.SendAway("The lease was renewed too late.")
	if e := l.closed(); e.Code != wire.CloseDrain || e.Reason != "The lease was renewed too late." {
		t.Errorf("%+v", e)
	}
	s.eventually("it may come back", func() bool { return s.hub.Connections() == 0 })
	l, _ = m.connect()
	s.hub.Drain(t.Context())
	if d := expect[*wire.Drain](l); d.ReconnectMaxMS < d.ReconnectMinMS || d.ReconnectMaxMS == 0 {
		t.Errorf("%+v", d)
	}
	if e := l.closed(); e.Code != wire.CloseDrain {
		t.Errorf("%+v", e)
	}
	m.want(m.sign("GET", wire.PathConnect), 503, "stopping")
	s.eventually("its session is closed", func() bool {
		list, err := s.store.AgentSessions(context.Background(), m.id, 1)
		return err == nil && !list[0].DisconnectedAt.IsZero() && list[0].Cause == "The server is stopping."
	})
}

func TestASlowReaderIsCutOff(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("web-01")
	ws, _, err := websocket.Dial(t.Context(), s.http.URL+wire.PathConnect, &websocket.DialOptions{
		HTTPHeader: m.sign("GET", wire.PathConnect), HTTPClient: s.http.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	l := &link{machine: m, ws: ws} // nobody reads
	l.hello()
	s.eventually("it attaches", func() bool { return s.dispatch.Online() == 1 })
	big := octopus.CacheEntry{Region: "broadcast", Key: "big", Value: json.RawMessage(`"` + strings.Repeat("x", 100_000) + `"`), ExpiresAt: time.Now().Add(time.Hour)}
	for range 300 {
		if s.dispatch.Online() == 0 {
			break
		}
		if err := s.store.CachePut(t.Context(), big); err != nil {
			t.Fatal(err)
		}
	}
	s.eventually("it is cut off", func() bool {
		list, err := s.store.AgentSessions(t.Context(), m.id, 1)
		return err == nil && strings.Contains(list[0].Cause, "does not read")
	})
}

func TestCalls(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := manifest("keeper")
	m.Capabilities = spec.Capabilities{KV: &spec.KV{MaxBytes: 1000, Reason: "to remember"}}
	markup := strings.Repeat("<", 256<<10-2) // as large as a value may be
	s.publish(m)
	l, _ := s.enrol("web-01").connect()
	s.submit(func(s *dispatch.Submission) { s.Plugin = "keeper" })
	g := l.take(expect[*wire.Offer](l))
	call := func(op, request string) string {
		t.Helper()
		m := &wire.Call{ID: 5, Execution: g.Execution, Fence: g.Fence, Op: op, Request: json.RawMessage(`{}`)}
		if request != "" {
			m.Request = json.RawMessage(request)
		}
		l.send(m)
		r := expect[*wire.Reply](l)
		if r.ID != 5 {
			t.Fatalf("%+v", r)
		}
		if r.Error != nil {
			return r.Error.Code
		}
		return string(r.Response)
	}
	for _, c := range []struct{ op, request, want string }{
		{"kv.get", `{"key":"a"}`, `{"found":false,"value":null}`},
		{"kv.set", `{"key":"a","value":{"n":1}}`, `{}`},
		{"kv.get", `{"key":"a"}`, `{"found":true,"value":{"n":1}}`},
		{"kv.list", `{"prefix":"a"}`, `{"keys":["a"],"more":false}`},
		{"kv.delete", `{"key":"a"}`, `{"found":true}`},
		{"kv.list", ``, `{"keys":[],"more":false}`},
		{"kv.set", `{"key":"b","value":"` + strings.Repeat("x", 2000) + `"}`, `quota`},
		{"kv.set", `{"key":"b","value":"` + strings.Repeat("x", 200_000) + `"}`, `quota`},
		{"kv.set", `{"key":"","value":1}`, `invalid_request`},
		{"kv.set", `[]`, `invalid_request`},
		{"cache.set", `{"name":"n","value":7,"ttl_seconds":60}`, `{}`},
		{"cache.get", `{"name":"n"}`, `{"found":true,"value":7}`},
		{"cache.set", `{"name":"page","value":"` + markup + `"}`, `{}`},
		{"cache.get", `{"name":"page"}`, `{"found":true,"value":"` + markup + `"}`},
		{"cache.set", `{"name":"page","value":"` + markup + `<"}`, `too_large`},
		{"cache.get", `{"name":"broadcast/none"}`, `{"found":false,"value":null}`},
		{"cache.set", `{"name":"broadcast/none","value":1}`, `denied`},
		{"exec.run", `{}`, `unsupported_op`},
	} {
		if got := call(c.op, c.request); got != c.want {
			t.Errorf("%s %.60s: %s, not %s", c.op, c.request, got, c.want)
		}
	}
	l.send(&wire.Call{ID: 6, Execution: g.Execution, Fence: g.Fence + 1, Op: "kv.get", Request: json.RawMessage(`{}`)})
	if r := expect[*wire.Reply](l); r.Error == nil || r.Error.Code != "cancelled" {
		t.Errorf("%+v", r)
	}
}
