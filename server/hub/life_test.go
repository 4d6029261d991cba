package hub_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
	"octopus/server/store"
)

func TestOfferNotAcceptedGoesElsewhere(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{OfferTTL: time.Second}})
	deaf, _ := s.enrol("deaf").connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](deaf)
	ok, _ := s.enrol("web-01").connect()
	if w := expect[*wire.Withdrawn](deaf); w.Fence != o.Fence {
		t.Fatalf("%+v", w)
	}
	again := expect[*wire.Offer](ok)
	if again.Fence <= o.Fence+1 || again.Attempt != 1 {
		t.Fatalf("second offer %+v after %+v", again, o)
	}
	g := ok.take(again)
	deaf.send(&wire.Accept{Execution: o.Execution, Fence: o.Fence})
	expect[*wire.Withdrawn](deaf)
	ok.send(ok.succeed(g, again.OfferSeq))
	if x := s.ended(run); x.Status != octopus.Succeeded || x.AgentName != "web-01" || x.Attempt != 1 {
		t.Fatalf("%+v", x)
	}
	if line := s.line(run, "withdrawn"); !strings.Contains(line, "did not accept it within 1.0 s.") {
		t.Errorf("timeline: %q", line)
	}
}

// line is the first event of a kind in the timeline of a run's only execution.
func (s *server) line(run octopus.Run, kind string) string {
	s.t.Helper()
	events, err := s.store.Events(context.Background(), s.execution(run).ID)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		if e.Kind == kind {
			return e.Message
		}
	}
	return ""
}

func TestPolicyExcludesAgents(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	a, _ := s.enrol("a").connect()
	b, _ := s.enrol("b").connect()
	run := s.submit(nil)
	refuse := func(l *link, o *wire.Offer) {
		l.send(&wire.Reject{Execution: o.Execution, Fence: o.Fence, Reason: wire.RejectPolicy, Message: "The owner forbids it.", Free: 4, LastOffer: o.OfferSeq})
	}
	for range 2 {
		select {
		case m := <-offersOf(a):
			refuse(a, m)
		case m := <-offersOf(b):
			refuse(b, m)
		}
	}
	x := s.ended(run)
	if x.Status != octopus.Rejected || !strings.Contains(x.Reason.Message, "The owner forbids it.") || len(x.Excluded) != 2 {
		t.Fatalf("%+v %+v", x, x.Reason)
	}
}

// offersOf delivers the next offer of a link.
func offersOf(l *link) <-chan *wire.Offer {
	if l.offers == nil {
		l.offers = make(chan *wire.Offer, 100)
		got := l.got
		rest := make(chan wire.Message, 1000)
		l.got = rest
		go func() {
			defer close(rest)
			for m := range got {
				if o, ok := m.(*wire.Offer); ok {
					l.offers <- o
				} else {
					rest <- m
				}
			}
		}()
	}
	return l.offers
}

func TestCancelBeforeAndAfterGo(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	before := s.submit(nil)
	o := expect[*wire.Offer](l)
	if x, err := s.dispatch.Cancel(t.Context(), o.Execution, "ada"); err != nil || x.Status != octopus.Cancelled {
		t.Fatalf("%+v %v", x, err)
	}
	expect[*wire.Withdrawn](l)
	l.send(&wire.Accept{Execution: o.Execution, Fence: o.Fence})
	expect[*wire.Withdrawn](l)
	if x := s.ended(before); x.Attempt != 0 || x.Reason.Message != "Cancelled by ada before it started." {
		t.Fatalf("%+v %+v", x, x.Reason)
	}

	after := s.submit(nil)
	o = expect[*wire.Offer](l)
	g := l.take(o)
	if x, err := s.dispatch.Cancel(t.Context(), o.Execution, "ada"); err != nil || !x.Cancelling || x.Status != octopus.Running {
		t.Fatalf("%+v %v", x, err)
	}
	if c := expect[*wire.Cancel](l); c.GraceMS != 10_000 || c.Fence != g.Fence {
		t.Fatalf("%+v", c)
	}
	l.send(&wire.CancelAck{Execution: g.Execution, Fence: g.Fence})
	r := l.succeed(g, o.OfferSeq)
	r.Outcome, r.Response = octopus.Cancelled, nil
	l.send(r)
	if x := s.ended(after); x.Status != octopus.Cancelled {
		t.Fatalf("%+v", x)
	}
	if _, err := s.dispatch.Cancel(t.Context(), g.Execution, "ada"); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Fatalf("cancelling the ended: %v", err)
	}
}

func TestForceCloseNeedsNoAgent(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](l)
	g := l.take(o)
	x, err := s.dispatch.ForceClose(t.Context(), g.Execution, "ada")
	if err != nil || x.Status != octopus.Cancelled || x.Reason.Code != "force_closed" || !strings.Contains(x.Reason.Message, "ada") {
		t.Fatalf("%+v %v", x, err)
	}
	expect[*wire.Cancel](l)
	l.send(l.succeed(g, o.OfferSeq))
	if a := expect[*wire.ResultAck](l); a.Verdict != wire.VerdictSuperseded {
		t.Fatalf("%+v", a)
	}
	if x := s.ended(run); x.Status != octopus.Cancelled {
		t.Fatalf("a late result flipped it to %s", x.Status)
	}
	evidence, err := s.store.Evidence(t.Context(), g.Execution)
	if err != nil || len(evidence) != 1 || !strings.Contains(string(evidence[0].Body), "done") {
		t.Fatalf("evidence: %+v %v", evidence, err)
	}
}

func TestDetachWithdrawsOffers(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("web-01")
	l, _ := m.connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](l)
	l.ws.CloseNow()
	s.eventually("it is queued again", func() bool { return s.execution(run).Status == octopus.Queued })
	l, answer := m.connect(wire.Item{Execution: o.Execution, Fence: o.Fence, Phase: wire.PhaseAccepted})
	if answer.Items[0].Answer != wire.AnswerDiscard {
		t.Fatalf("%+v", answer.Items)
	}
	o = expect[*wire.Offer](l)
	g := l.take(o)
	l.send(l.succeed(g, o.OfferSeq))
	if x := s.ended(run); x.Status != octopus.Succeeded {
		t.Fatalf("%+v", x)
	}
}

func TestServerRestartMidRun(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("web-01")
	l, _ := m.connect()
	run := s.submit(nil)
	done := s.submit(nil)
	o := expect[*wire.Offer](l)
	o2 := expect[*wire.Offer](l)
	g := l.take(o)
	g2 := l.take(o2)
	l.ws.CloseNow()
	s.stop()

	again := start(t, settings{path: s.path})
	m.server = again
	l, answer := m.connect(
		wire.Item{Execution: g.Execution, Fence: g.Fence, Attempt: 1, Phase: wire.PhaseStarted},
		wire.Item{Execution: g2.Execution, Fence: g2.Fence, Attempt: 1, Phase: wire.PhaseDone},
	)
	got := map[string]wire.Answer{}
	for _, it := range answer.Items {
		got[it.Execution] = it.Answer
	}
	if got[g.Execution] != wire.AnswerKeep || got[g2.Execution] != wire.AnswerSendResult {
		t.Fatalf("%+v", answer.Items)
	}
	for _, g := range []*wire.Go{g, g2} {
		l.send(l.succeed(g, 0))
		if a := expect[*wire.ResultAck](l); a.Verdict != wire.VerdictCommitted {
			t.Fatalf("%+v", a)
		}
	}
	for _, r := range []octopus.Run{run, done} {
		if x := again.ended(r); x.Status != octopus.Succeeded {
			t.Fatalf("%+v", x)
		}
	}
}

func TestJournals(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		journal string
		want    octopus.Status
	}{"intact": {"", octopus.Queued}, "another": {"new", octopus.Lost}} {
		for _, restarted := range []bool{false, true} {
			t.Run(fmt.Sprint(name, restarted), func(t *testing.T) {
				t.Parallel()
				s := start(t, settings{})
				m := s.enrol("web-01")
				l, _ := m.connect()
				run := s.submit(nil)
				o := expect[*wire.Offer](l)
				l.take(o)
				l.ws.CloseNow()
				if restarted {
					s.stop()
					s = start(t, settings{path: s.path})
					m.server = s
				}
				m.incarnation = "after a restart"
				if c.journal != "" {
					m.journal = c.journal
				}
				l, _ = m.connect() // its journal does not name the execution
				if x := s.execution(run); x.Status != octopus.Running {
					t.Fatalf("one hello, which may be an old one, made it %s", x.Status)
				}
				l.doubted()
				if c.want == octopus.Lost {
					if x := s.ended(run); x.Status != octopus.Lost || x.Reason.Code != "journal_lost" {
						t.Fatalf("%s %+v", x.Status, x.Reason)
					}
					return
				}
				again := expect[*wire.Offer](l)
				g := l.take(again)
				if again.Fence <= o.Fence || g.Attempt != 2 {
					t.Fatalf("%+v", again)
				}
				l.send(l.succeed(g, again.OfferSeq))
				if x := s.ended(run); x.Status != octopus.Succeeded {
					t.Fatalf("%+v", x)
				}
			})
		}
	}
}

func TestSilenceThenLost(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: brisk}})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(func(s *dispatch.Submission) { s.LostAfter = 3 * time.Second })
	g := l.take(expect[*wire.Offer](l))
	s.eventually("it is marked silent", func() bool { return s.execution(run).Silent })
	x := s.ended(run)
	if x.Status != octopus.Lost || x.Reason.Code != "agent_silent" || !strings.Contains(x.Reason.Message, "web-01 was not heard for") {
		t.Fatalf("%s %+v", x.Status, x.Reason)
	}
	_ = g
}

func TestLostIsRetriedElsewhere(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{Heartbeat: brisk, RetryBackoff: 10 * time.Millisecond}})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(func(s *dispatch.Submission) {
		s.Action, s.OnLost, s.MaxAttempts, s.LostAfter = "again", octopus.OnLostRetry, 2, 300*time.Millisecond
	})
	l.take(expect[*wire.Offer](l))
	s.eventually("it is queued for another attempt", func() bool { return s.execution(run).Status == octopus.Queued })
	m := s.enrol("web-02")
	l, _ = m.connect()
	beat := make(chan struct{})
	go func() {
		defer close(beat)
		every := time.NewTicker(30 * time.Millisecond)
		defer every.Stop()
		for i := int64(1); s.execution(run).Status != octopus.Succeeded && i < 20_000; i++ {
			l.reply(&wire.Heartbeat{Seq: i, Free: 4, LastOffer: 1})
			<-every.C
		}
	}()
	o := expect[*wire.Offer](l)
	g := l.take(o)
	if g.Attempt != 2 {
		t.Fatalf("%+v", g)
	}
	l.send(l.succeed(g, o.OfferSeq))
	x := s.ended(run)
	<-beat
	attempts, err := s.store.Attempts(t.Context(), x.ID)
	if err != nil || x.Status != octopus.Succeeded || len(attempts) != 2 || attempts[0].Status != octopus.Lost || attempts[1].AgentName != "web-02" {
		t.Fatalf("%+v %+v %v", x, attempts, err)
	}
}

func TestFailedResponseIsRetried(t *testing.T) {
	t.Parallel()
	s := start(t, settings{dispatch: dispatch.Config{RetryBackoff: 10 * time.Millisecond}})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(func(s *dispatch.Submission) { s.MaxAttempts = 2 })
	for attempt := 1; attempt <= 2; attempt++ {
		o := expect[*wire.Offer](l)
		g := l.take(o)
		if g.Attempt != attempt {
			t.Fatalf("%+v", g)
		}
		r := l.succeed(g, o.OfferSeq)
		r.Outcome, r.MayRetry, r.Response = octopus.Failed, true, json.RawMessage(`{"status_code":503,"message":"later"}`)
		l.send(r)
	}
	x := s.ended(run)
	if x.Status != octopus.Failed || x.Attempt != 2 || x.Reason.Message != "later" || x.StatusCode != 503 {
		t.Fatalf("%+v %+v", x, x.Reason)
	}
}

func TestLargeResultsAndOperations(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](l)
	g := l.take(o)
	body := []byte(`{"status_code":200,"message":"big","data":[{"type":"db","name":"rows","value":"` + strings.Repeat("x", wire.MaxInline) + `"},
		{"type":"cache","name":"last","value":{"n":1},"ttl_seconds":60}]}`)
	sum := sha256.Sum256(body)
	sha := hex.EncodeToString(sum[:])
	if status, answer := l.do(http.MethodPut, wire.PathBlobs+sha, body); status != 204 {
		t.Fatalf("blob: %d %s", status, answer)
	}
	r := l.succeed(g, o.OfferSeq)
	r.Response, r.BlobSHA256 = nil, sha
	l.send(r)
	x := s.ended(run)
	results, err := s.store.Results(t.Context(), x.ID)
	if err != nil || len(results) != 1 || results[0].Name != "rows" || len(results[0].Value) < wire.MaxInline || len(x.Response) < wire.MaxInline {
		t.Fatalf("%d results, %d bytes, %v", len(results), len(x.Response), err)
	}
	e, found, err := s.store.CacheGet(t.Context(), "plugin data", "plugin/probe/last")
	if err != nil || !found || string(e.Value) != `{"n":1}` {
		t.Fatalf("%+v %v %v", e, found, err)
	}
}

func TestInvalidResponseIsRejected(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](l)
	g := l.take(o)
	r := l.succeed(g, o.OfferSeq)
	r.Response = json.RawMessage(`[1]`)
	l.send(r)
	if a := expect[*wire.ResultAck](l); a.Verdict != wire.VerdictRejected || a.Reason == "" {
		t.Fatalf("%+v", a)
	}
	if x := s.ended(run); x.Status != octopus.Failed || x.Reason.Code != "invalid_response" {
		t.Fatalf("%+v %+v", x, x.Reason)
	}
	a, err := s.store.Artifact(t.Context(), g.Execution, octopus.ArtifactInvalidResponse, 0)
	if err != nil || string(a.Data) != "[1]" || a.Attempt != 1 {
		t.Fatalf("%+v %v", a, err)
	}
}

// TestWhatIsNoResponseIsKept: escaped, where the agent found out.
func TestWhatIsNoResponseIsKept(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](l)
	g := l.take(o)
	r := l.succeed(g, o.OfferSeq)
	r.Outcome, r.Reason, r.Response = octopus.Failed, "invalid_response", json.RawMessage(`{"status_code":502,"message":"No.","error":{"code":"invalid_response"}}`)
	r.Invalid, r.Usage.OutputBytes = []byte("hello\n\x1b[2J\xff<script>"), 100
	l.send(r)
	if a := expect[*wire.ResultAck](l); a.Verdict != wire.VerdictCommitted {
		t.Fatalf("%+v", a)
	}
	if x := s.ended(run); x.Status != octopus.Failed || x.Reason.Code != "invalid_response" || x.StatusCode != 502 {
		t.Fatalf("%+v %+v", x, x.Reason)
	}
	a, err := s.store.Artifact(t.Context(), g.Execution, octopus.ArtifactInvalidResponse, 1)
	want := "hello\n" + `\x1b[2J\xff<script>` + "\n\n[81 more bytes are left out.]\n"
	if err != nil || string(a.Data) != want || a.MediaType != "text/plain; charset=utf-8" {
		t.Fatalf("%q %v", a.Data, err)
	}
}

func TestLogsAndProgress(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	o := expect[*wire.Offer](l)
	g := l.take(o)
	chunk := &wire.Log{Execution: g.Execution, Attempt: 1, Fence: g.Fence, Seq: 1, Stream: "stderr", Lines: []wire.LogLine{{AgoMS: 5, Text: "one"}, {Text: "two"}}}
	for range 2 { // the second is a repetition
		l.send(chunk)
		if a := expect[*wire.LogAck](l); a.Seq != 1 {
			t.Fatalf("%+v", a)
		}
	}
	l.send(&wire.Progress{Execution: g.Execution, Fence: g.Fence, Fraction: 0.5, Message: "half"})
	s.eventually("progress is shown", func() bool {
		x := s.execution(run)
		return x.Progress != nil && x.Progress.Fraction == 0.5 && x.LastLog == "two"
	})
	l.send(l.succeed(g, o.OfferSeq))
	s.ended(run)
	late := *chunk
	late.Seq = 2
	l.send(&late)
	if a := expect[*wire.LogAck](l); a.Seq != 2 {
		t.Fatalf("%+v", a)
	}
	logs, err := s.store.Logs(t.Context(), g.Execution, 0, 10)
	if err != nil || len(logs) != 2 || logs[0].Lines[1].Text != "two" {
		t.Fatalf("%+v %v", logs, err)
	}
	l.send(&wire.Log{Execution: "exe_unknown", Seq: 1, Lines: []wire.LogLine{{Text: "x"}}})
	if a := expect[*wire.LogAck](l); a.Execution != "exe_unknown" {
		t.Fatalf("%+v", a)
	}
}

func TestSlowStartIsShown(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	run := s.submit(nil)
	g := l.take(expect[*wire.Offer](l))
	l.send(&wire.Prepared{Execution: g.Execution, Fence: g.Fence, DownloadMS: 100, CompileMS: 800, ReadyMS: 950, Started: true})
	s.eventually("its start is written", func() bool { return !s.execution(run).StartedAt.IsZero() })
	if got := s.line(run, "prepared"); !strings.Contains(got, "compilation 800 ms") {
		t.Errorf("%q", got)
	}
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	l, _ := s.enrol("web-01").connect()
	key := &store.Idempotency{Scope: "ada POST /runs", Key: "k1", BodyHash: []byte("h")}
	sub := dispatch.Submission{Work: octopus.Work{Plugin: "probe", Action: "once"}, By: "ada", Source: "api", Key: key}
	first, replay, err := s.dispatch.Submit(t.Context(), sub)
	if err != nil || replay {
		t.Fatal(replay, err)
	}
	again, replay, err := s.dispatch.Submit(t.Context(), sub)
	if err != nil || !replay || again.ID != first.ID {
		t.Fatal(again.ID, replay, err)
	}
	expect[*wire.Offer](l)
	if p, _ := s.dispatch.Presence(l.id); p.Free != 3 {
		t.Fatalf("a replay kept a credit: %d free", p.Free)
	}
	key.BodyHash = []byte("other")
	if _, _, err := s.dispatch.Submit(t.Context(), sub); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Fatal(err)
	}
}
