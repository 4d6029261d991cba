package core

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
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
