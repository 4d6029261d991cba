package core

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// world is a core with a clock that a test moves, and everything that it did.
type world struct {
	t   *testing.T
	c   *Core
	now time.Duration
}

const second = time.Second

func newWorld(t *testing.T, restored ...Restored) *world {
	t.Helper()
	return &world{t, New(Config{Slots: 2, MaxPending: 3}, restored), 1000 * second}
}

// do feeds an event and returns copies of its effects.
func (w *world) do(e Event) []Effect { return slices.Clone(w.c.Step(w.now, e)) }

func (w *world) hear(m wire.Message) []Effect { return w.do(Message{m}) }

// after moves the clock, ticking whenever the core asked for it, and returns all effects.
func (w *world) after(d time.Duration) []Effect {
	end := w.now + d
	var all []Effect
	for range 10_000 {
		at, ok := w.c.Wake()
		if !ok || at > end {
			break
		}
		if at < w.now {
			w.t.Fatalf("the core wants to be woken %v ago", w.now-at)
		}
		w.now = at
		before := at
		all = append(all, w.do(Tick{})...)
		if again, ok := w.c.Wake(); ok && again <= before && !w.c.exited {
			w.t.Fatalf("the core spins: it wants to be woken at %v again", again)
		}
	}
	w.now = end
	return append(all, w.do(Tick{})...)
}

func (w *world) connect() []Effect {
	effects := w.do(Connected{wire.Hello{Agent: "agt_1"}})
	effects = append(effects, w.hear(&wire.Welcome{HeartbeatMS: 10_000, FirstAfterMS: 3_000, OfflineMS: 25_000})...)
	return effects
}

func (w *world) offer(id string, change ...func(*wire.Offer)) []Effect {
	o := &wire.Offer{OfferSeq: 1, Execution: id, Fence: 1, Attempt: 1, LostAfterMS: 90_000, OnLost: octopus.OnLostFail}
	for _, f := range change {
		f(o)
	}
	return w.hear(o)
}

// running brings an execution to where its guest runs.
func (w *world) running(id string, change ...func(*wire.Offer)) Key {
	w.t.Helper()
	w.offer(id, change...)
	w.hear(&wire.Go{Execution: id, Fence: 1, Attempt: 1})
	k := Key{id, 1}
	p, ok := find[Permit](w.do(Ready{Key: k}))
	if !ok || p.Err != nil {
		w.t.Fatalf("%s may not start: %v", id, p.Err)
	}
	return k
}

func find[E Effect](effects []Effect) (found E, ok bool) {
	for _, e := range effects {
		if found, ok = e.(E); ok {
			return found, true
		}
	}
	return found, false
}

func sent[M wire.Message](effects []Effect) (found M, n int) {
	for _, e := range effects {
		if s, ok := e.(Send); ok {
			if m, ok := s.Message.(M); ok {
				found = m
				n++
			}
		}
	}
	return found, n
}

func retry(o *wire.Offer) { o.OnLost = octopus.OnLostRetry }

func TestOfferToAck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect()
	if n, ok := find[Note](w.offer("a")); !ok || n.Offer.Execution != "a" {
		t.Fatal("the offer was not noted")
	}
	if w.c.Free() != 1 {
		t.Errorf("%d free", w.c.Free())
	}
	if s, ok := find[Start](w.hear(&wire.Go{Execution: "a", Fence: 1, Attempt: 4})); !ok || s.Attempt != 4 {
		t.Fatalf("start: %+v", s)
	}
	effects := w.do(Ready{Key: Key{"a", 1}, Prepared: wire.Prepared{ReadyMS: 7}})
	if p, _ := sent[*wire.Prepared](effects); p == nil || !p.Started || p.ReadyMS != 7 || p.Execution != "a" {
		t.Errorf("prepared: %+v", p)
	}
	effects = w.do(Done{Key: Key{"a", 1}, Result: wire.Result{Outcome: octopus.Succeeded}, Natural: true})
	keep, ok := find[Keep](effects)
	r, n := sent[*wire.Result](effects)
	if !ok || n != 1 || r.Attempt != 4 || r.Fence != 1 || r.Free != 2 || r.LastOffer != 1 || keep.Result.Outcome != octopus.Succeeded {
		t.Errorf("kept %+v, sent %+v", keep, r)
	}
	if _, ok := find[Commit](w.hear(&wire.ResultAck{Execution: "a", Fence: 1, Verdict: wire.VerdictCommitted})); !ok || len(w.c.items) != 0 {
		t.Error("not forgotten after the acknowledgement")
	}
}

func TestAcceptIsRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect()
	w.offer("a")
	effects := w.after(4 * second)
	w.hear(&wire.HeartbeatAck{Seq: 1})
	effects = append(effects, w.after(12*second)...)
	if _, n := sent[*wire.Accept](effects); n != 3 {
		t.Errorf("%d accepts in 16 s, want 3", n)
	}
	w.hear(&wire.HeartbeatAck{Seq: 2})
	if _, n := sent[*wire.Accept](w.offer("a")); n != 1 {
		t.Error("the same offer again was not answered again")
	}
	w.hear(&wire.Go{Execution: "a", Fence: 1})
	if _, n := sent[*wire.Accept](w.after(5 * second)); n != 0 {
		t.Error("accepted again after the go")
	}
	if _, ok := find[Start](w.hear(&wire.Go{Execution: "a", Fence: 1})); ok {
		t.Error("a second go started it again")
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	reason := func(effects []Effect) wire.RejectReason {
		r, _ := sent[*wire.Reject](effects)
		if r == nil {
			return ""
		}
		return r.Reason
	}
	w := newWorld(t)
	w.connect()
	w.offer("a")
	w.offer("b")
	if got := reason(w.offer("c")); got != wire.RejectBusy {
		t.Errorf("without a slot: %q", got)
	}
	if got := reason(w.do(NoteFailed{Key{"b", 1}})); got != wire.RejectNoSpace || w.c.Held() != 1 {
		t.Errorf("without room in the journal: %q, %d held", got, w.c.Held())
	}
	w.c.config.Admit = func(*wire.Offer) (wire.RejectReason, string) { return wire.RejectPolicy, "No." }
	if got := reason(w.offer("d")); got != wire.RejectPolicy {
		t.Errorf("against the policy: %q", got)
	}
	w.c.config.Admit = nil
	w.do(Stop{Grace: second})
	if got := reason(w.offer("e")); got != "" && got != wire.RejectBusy {
		t.Errorf("while stopping: %q", got)
	}
	full := newWorld(t)
	full.connect()
	for i := range 3 {
		k := full.running(fmt.Sprint(i))
		full.do(Done{Key: k, Natural: true})
	}
	if got := reason(full.offer("x")); got != wire.RejectNoSpace || full.c.Free() != 0 {
		t.Errorf("with results that nobody takes: %q", got)
	}
}

func TestNewerFenceWins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect()
	w.offer("a")
	effects := w.offer("a", func(o *wire.Offer) { o.Fence = 3 })
	if d, ok := find[Drop](effects); !ok || d.Key.Fence != 1 {
		t.Errorf("the older offer stays: %+v", effects)
	}
	w = newWorld(t)
	w.connect()
	k := w.running("a")
	effects = w.offer("a", func(o *wire.Offer) { o.Fence = 3 })
	if kill, ok := find[Kill](effects); !ok || kill.Key != k {
		t.Errorf("the older try runs on: %+v", effects)
	}
	if r, _ := sent[*wire.Reject](effects); r == nil || r.Reason != wire.RejectBusy {
		t.Errorf("the newer one is not put back: %+v", effects)
	}
	if _, ok := find[File](w.do(Done{Key: k})); !ok {
		t.Error("the result of a try that nobody wants was not filed away")
	}
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect()
	b, n := sent[*wire.Heartbeat](w.after(3 * second))
	if n != 1 || b.Seq != 1 || b.Free != 2 {
		t.Fatalf("%d heartbeats, %+v", n, b)
	}
	if _, n := sent[*wire.Heartbeat](w.after(9 * second)); n != 0 {
		t.Error("too early")
	}
	if r, ok := find[Reconnect](w.after(2 * second)); !ok || w.c.connected {
		t.Errorf("10 s without an acknowledgement: %+v", r)
	}
	w = newWorld(t)
	w.do(Connected{})
	if _, ok := find[Reconnect](w.after(11 * second)); !ok {
		t.Error("a hello without an answer is waited for for ever")
	}
}

func TestRehello(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect()
	w.offer("a")
	w.after(3 * second)
	h, n := sent[*wire.Hello](w.hear(&wire.HeartbeatAck{Seq: 1, Rehello: true}))
	if n != 1 || len(h.Items) != 1 || !h.End {
		t.Errorf("%d hellos, %+v", n, h)
	}
	if _, n := sent[*wire.Accept](w.hear(&wire.HelloAnswer{End: true, Items: []wire.AnsweredItem{{Execution: "a", Fence: 1, Answer: wire.AnswerKeep}}})); n != 1 {
		t.Error("an offer that the server still has was not accepted again")
	}
}

func TestHelloPages(t *testing.T) {
	t.Parallel()
	var restored []Restored
	for i := range 1201 {
		restored = append(restored, Restored{Offer: &wire.Offer{Execution: fmt.Sprint(i), Fence: 1}, Result: &wire.Result{}})
	}
	w := newWorld(t, restored...)
	var pages []int
	var ends []bool
	for _, e := range w.do(Connected{}) {
		if s, ok := e.(Send); ok {
			h := s.Message.(*wire.Hello)
			pages, ends = append(pages, len(h.Items)), append(ends, h.End)
		}
	}
	if !slices.Equal(pages, []int{500, 500, 201}) || !slices.Equal(ends, []bool{false, false, true}) {
		t.Errorf("pages %v, ends %v", pages, ends)
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	t.Run("a go that comes out of a long sleep starts nothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		w.offer("a")
		w.now += 10 * time.Minute // the machine slept; no tick came
		if _, ok := find[Start](w.hear(&wire.Go{Execution: "a", Fence: 1})); ok {
			t.Error("started without a lease")
		}
	})
	t.Run("nor does a guest that got ready too late", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		w.offer("a")
		w.hear(&wire.Go{Execution: "a", Fence: 1})
		w.now += 10 * time.Minute
		if p, ok := find[Permit](w.do(Ready{Key: Key{"a", 1}})); !ok || p.Err == nil {
			t.Error("started without a lease")
		}
		r, _ := find[Keep](w.do(Done{Key: Key{"a", 1}, Result: wire.Result{Outcome: octopus.Failed}}))
		if r.Result.Outcome != octopus.Lost || r.Result.Reason != ReasonLeaseLost {
			t.Errorf("it ended as %+v", r.Result)
		}
	})
	t.Run("on_lost retry: killed before the server gives up", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		k := w.running("a", retry)
		start := w.now
		w.do(Disconnected{})
		effects := w.after(25*second + 90*second)
		kill, ok := find[Kill](effects)
		if !ok || kill.Key != k || kill.Reason != ReasonLeaseLost {
			t.Fatalf("not killed: %+v", effects)
		}
		if w2 := newWorld(t); true {
			w2.connect()
			w2.running("a", retry)
			w2.do(Disconnected{})
			if _, ok := find[Kill](w2.after(104 * second)); ok {
				t.Error("killed too early")
			}
			if _, ok := find[Kill](w2.after(2 * second)); !ok {
				t.Errorf("not killed %v after the last word", w2.now-start)
			}
		}
	})
	t.Run("on_lost fail: it runs on", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		w.running("a")
		w.do(Disconnected{})
		if _, ok := find[Kill](w.after(time.Hour)); ok {
			t.Error("killed, though nobody else will run it")
		}
	})
	t.Run("it counts from when the heartbeat was sent", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		w.after(3 * second)
		at := w.now
		w.after(5 * second)
		w.hear(&wire.HeartbeatAck{Seq: 1})
		if w.c.leaseAt != at {
			t.Errorf("the lease counts from %v, the heartbeat was sent at %v", w.c.leaseAt, at)
		}
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	cancel := func(grace time.Duration) *wire.Cancel {
		return &wire.Cancel{Execution: "a", Fence: 1, GraceMS: grace.Milliseconds()}
	}
	t.Run("before the go", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		w.offer("a")
		effects := w.hear(cancel(0))
		if _, ok := find[Drop](effects); !ok {
			t.Errorf("%+v", effects)
		}
		if _, n := sent[*wire.CancelAck](effects); n != 1 {
			t.Error("not acknowledged")
		}
		if _, ok := find[Start](w.hear(&wire.Go{Execution: "a", Fence: 1})); ok {
			t.Error("it started all the same")
		}
	})
	t.Run("while it gets ready", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		w.offer("a")
		w.hear(&wire.Go{Execution: "a", Fence: 1})
		if _, ok := find[Kill](w.hear(cancel(10 * second))); !ok {
			t.Error("not ended at once, though no guest runs")
		}
		if p, _ := find[Permit](w.do(Ready{Key: Key{"a", 1}})); p.Err == nil {
			t.Error("it may start all the same")
		}
		r, _ := find[Keep](w.do(Done{Key: Key{"a", 1}, Result: wire.Result{Outcome: octopus.Failed}}))
		if r.Result.Outcome != octopus.Cancelled {
			t.Errorf("it ended as %+v", r.Result)
		}
	})
	t.Run("flag, grace, kill", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		w.running("a")
		effects := w.hear(cancel(10 * second))
		if _, ok := find[Flag](effects); !ok {
			t.Error("no flag")
		}
		if _, ok := find[Kill](append(effects, w.after(9*second)...)); ok {
			t.Error("killed within the grace")
		}
		effects = w.hear(cancel(10 * second)) // swept until acknowledged
		if _, ok := find[Flag](effects); ok {
			t.Error("flagged twice")
		}
		if _, ok := find[Kill](w.after(2 * second)); !ok {
			t.Error("a repeated cancel put the kill off")
		}
	})
	for name, c := range map[string]struct {
		done Done
		want octopus.Status
	}{
		"a true result wins":         {Done{Natural: true, Result: wire.Result{Outcome: octopus.Succeeded}}, octopus.Succeeded},
		"a true failure too":         {Done{Natural: true, Code: "x", Result: wire.Result{Outcome: octopus.Failed}}, octopus.Failed},
		"the guest obeyed":           {Done{Natural: true, Code: spec.CodeCancelled, Result: wire.Result{Outcome: octopus.Failed}}, octopus.Cancelled},
		"it was killed":              {Done{Result: wire.Result{Outcome: octopus.Failed, MayRetry: true}}, octopus.Cancelled},
		"its timeout came meanwhile": {Done{Result: wire.Result{Outcome: octopus.TimedOut}}, octopus.TimedOut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.connect()
			c.done.Key = w.running("a")
			w.hear(cancel(0))
			r, _ := find[Keep](w.do(c.done))
			if r.Result.Outcome != c.want || c.want == octopus.Cancelled && r.Result.MayRetry {
				t.Errorf("it ended as %+v", r.Result)
			}
		})
	}
}

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for verdict, filed := range map[wire.Verdict]bool{
		wire.VerdictCommitted: false, wire.VerdictDuplicate: false, wire.VerdictStale: true,
		wire.VerdictSuperseded: true, wire.VerdictRejected: true, wire.VerdictUnknown: true, "new": true,
	} {
		w := newWorld(t)
		w.connect()
		k := w.running("a")
		w.do(Done{Key: k, Natural: true})
		effects := w.hear(&wire.ResultAck{Execution: "a", Fence: 1, Verdict: verdict, Reason: "why"})
		f, isFiled := find[File](effects)
		_, committed := find[Commit](effects)
		if isFiled != filed || committed == filed || len(w.c.items) != 0 {
			t.Errorf("%s: %+v %+v", verdict, f, effects)
		}
		if _, n := sent[*wire.Result](w.after(time.Hour)); n != 0 {
			t.Errorf("%s: sent again", verdict)
		}
	}
}

func TestResultsWaitForTheServer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect()
	k := w.running("a")
	w.do(Disconnected{})
	effects := w.do(Done{Key: k, Natural: true})
	if _, n := sent[*wire.Result](effects); n != 0 {
		t.Error("sent without a socket")
	}
	w.connect()
	if _, n := sent[*wire.Result](w.after(second)); n != 0 {
		t.Error("sent before the hello was answered")
	}
	if _, n := sent[*wire.Result](w.hear(&wire.HelloAnswer{End: true, Items: []wire.AnsweredItem{{Execution: "a", Fence: 1, Answer: wire.AnswerSendResult}}})); n != 1 {
		t.Error("not sent though it was asked for")
	}
	w.hear(&wire.HeartbeatAck{Seq: 1})
	if _, n := sent[*wire.Result](w.after(9 * second)); n != 0 {
		t.Error("sent again too soon")
	}
}

func TestUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect()
	k := w.running("a")
	effects := w.do(Done{Key: k, Natural: true, Result: wire.Result{Outcome: octopus.Succeeded, BlobSHA256: "abc"}})
	if u, ok := find[Upload](effects); !ok || u.SHA256 != "abc" {
		t.Fatalf("%+v", effects)
	}
	if _, n := sent[*wire.Result](effects); n != 0 {
		t.Error("the result went before its body")
	}
	w.do(Uploaded{Key: k, Err: errors.New("no route")})
	w.hear(&wire.HeartbeatAck{Seq: 1})
	if _, ok := find[Upload](w.after(6 * second)); !ok {
		t.Error("not tried again")
	}
	if _, n := sent[*wire.Result](w.do(Uploaded{Key: k})); n != 1 {
		t.Error("the result did not follow")
	}
	effects = w.do(Uploaded{Key: k, Err: errors.New("too large"), Refused: true})
	if r, n := sent[*wire.Result](effects); n != 1 || r.Outcome != octopus.Failed || r.BlobSHA256 != "" || r.Reason != spec.CodeOutputLimit {
		t.Errorf("a refused body: %+v", r)
	}
}

func TestAnswersToTheHello(t *testing.T) {
	t.Parallel()
	answer := func(w *world, a wire.Answer) []Effect {
		return w.hear(&wire.HelloAnswer{End: true, Items: []wire.AnsweredItem{{Execution: "a", Fence: 1, Attempt: 2, Answer: a}}})
	}
	prepare := map[string]func(*world){
		"accepted": func(w *world) { w.offer("a") },
		"started":  func(w *world) { w.running("a") },
		"done":     func(w *world) { w.do(Done{Key: w.running("a"), Natural: true}) },
	}
	type cell struct {
		phase  string
		answer wire.Answer
	}
	for c, check := range map[cell]func([]Effect) bool{
		{"accepted", wire.AnswerGo}:         func(e []Effect) bool { s, ok := find[Start](e); return ok && s.Attempt == 2 },
		{"accepted", wire.AnswerKeep}:       func(e []Effect) bool { _, n := sent[*wire.Accept](e); return n == 1 },
		{"accepted", wire.AnswerCancel}:     func(e []Effect) bool { _, ok := find[Drop](e); return ok },
		{"accepted", wire.AnswerDiscard}:    func(e []Effect) bool { _, ok := find[Drop](e); return ok },
		{"accepted", wire.AnswerSendResult}: func(e []Effect) bool { return len(e) == 0 },
		{"started", wire.AnswerGo}:          func(e []Effect) bool { return len(e) == 0 },
		{"started", wire.AnswerKeep}:        func(e []Effect) bool { return len(e) == 0 },
		{"started", wire.AnswerCancel}:      func(e []Effect) bool { _, ok := find[Flag](e); return ok },
		{"started", wire.AnswerDiscard}:     func(e []Effect) bool { _, ok := find[Kill](e); return ok },
		{"started", wire.AnswerSendResult}:  func(e []Effect) bool { return len(e) == 0 },
		{"done", wire.AnswerGo}:             func(e []Effect) bool { _, n := sent[*wire.Result](e); return n == 1 },
		{"done", wire.AnswerKeep}:           func(e []Effect) bool { _, n := sent[*wire.Result](e); return n == 1 },
		{"done", wire.AnswerCancel}:         func(e []Effect) bool { _, n := sent[*wire.Result](e); return n == 1 },
		{"done", wire.AnswerSendResult}:     func(e []Effect) bool { _, n := sent[*wire.Result](e); return n == 1 },
		{"done", wire.AnswerDiscard}:        func(e []Effect) bool { _, ok := find[File](e); return ok },
	} {
		w := newWorld(t)
		w.connect()
		prepare[c.phase](w)
		w.do(Disconnected{})
		w.connect()
		if effects := answer(w, c.answer); !check(effects) {
			t.Errorf("%s, answered %s: %+v", c.phase, c.answer, effects)
		}
	}
}

func TestRestored(t *testing.T) {
	t.Parallel()
	w := newWorld(t,
		Restored{Offer: &wire.Offer{Execution: "a", Fence: 1}},
		Restored{Offer: &wire.Offer{Execution: "b", Fence: 1}, Started: true, Attempt: 3},
		Restored{Offer: &wire.Offer{Execution: "c", Fence: 1}, Started: true, Result: &wire.Result{Execution: "c", Fence: 1, Outcome: octopus.Succeeded}},
	)
	h, _ := sent[*wire.Hello](w.do(Connected{}))
	var phases []wire.Phase
	for _, it := range h.Items {
		phases = append(phases, it.Phase)
	}
	if !slices.Equal(phases, []wire.Phase{wire.PhaseAccepted, wire.PhaseDone, wire.PhaseDone}) {
		t.Errorf("the hello holds %v", phases)
	}
	w.hear(&wire.Welcome{HeartbeatMS: 10_000, OfflineMS: 25_000, FirstAfterMS: 9_000})
	effects := w.hear(&wire.HelloAnswer{End: true})
	var lost, kept int
	for _, e := range effects {
		if s, ok := e.(Send); ok {
			if r, ok := s.Message.(*wire.Result); ok {
				if r.Outcome == octopus.Lost && r.Reason == ReasonAgentRestarted && r.Attempt == 3 {
					lost++
				} else if r.Outcome == octopus.Succeeded {
					kept++
				}
			}
		}
	}
	if lost != 1 || kept != 1 {
		t.Errorf("%d lost, %d kept: %+v", lost, kept, effects)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	t.Run("idle", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		effects := w.do(Stop{Reason: "x", Grace: second})
		if _, ok := find[Exit](effects); !ok {
			t.Errorf("%+v", effects)
		}
		if _, n := sent[*wire.Draining](effects); n != 1 {
			t.Error("the server was not told")
		}
	})
	t.Run("the grace ends", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		k := w.running("a")
		if effects := append(w.do(Stop{Grace: 5 * second}), w.after(4*second)...); func() bool { _, ok := find[Kill](effects); return ok }() {
			t.Error("killed within the grace")
		}
		if kill, ok := find[Kill](w.after(2 * second)); !ok || kill.Key != k {
			t.Fatal("not killed")
		}
		effects := w.do(Done{Key: k, Result: wire.Result{Outcome: octopus.Failed}})
		if r, _ := sent[*wire.Result](effects); r == nil || r.Outcome != octopus.Lost || r.Reason != ReasonAgentStopped {
			t.Errorf("it ended as %+v", r)
		}
		if _, ok := find[Exit](effects); ok {
			t.Error("gone before the server had the result")
		}
		if _, ok := find[Exit](w.hear(&wire.ResultAck{Execution: "a", Fence: 1, Verdict: wire.VerdictCommitted})); !ok {
			t.Error("not gone after the acknowledgement")
		}
	})
	t.Run("no acknowledgement comes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		k := w.running("a")
		w.do(Stop{Grace: second})
		w.do(Done{Key: k, Natural: true})
		if _, ok := find[Exit](w.after(lastWords)); !ok {
			t.Error("it waits for ever")
		}
	})
	t.Run("restart", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.connect()
		k := w.running("a")
		if _, ok := find[Kill](append(w.hear(&wire.Restart{}), w.after(time.Minute)...)); ok {
			t.Error("a restart killed what runs")
		}
		w.connect()
		w.do(Done{Key: k, Natural: true})
		e, ok := find[Exit](append(w.hear(&wire.HelloAnswer{End: true}), w.hear(&wire.ResultAck{Execution: "a", Fence: 1, Verdict: wire.VerdictCommitted})...))
		if !ok || !errors.Is(e.Err, ErrRestart) {
			t.Errorf("exit: %+v", e)
		}
	})
}

func TestDrain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect()
	r, ok := find[Reconnect](w.hear(&wire.Drain{ReconnectMinMS: 1000, ReconnectMaxMS: 5000}))
	if !ok || r.Min != second || r.Max != 5*second {
		t.Errorf("%+v", r)
	}
}
