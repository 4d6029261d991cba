package core

import (
	"fmt"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// What a transport sends again starts nothing again: neither while the execution is here nor after it is over.
func TestOffersThatComeAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect()
	k := w.running("exe_1")
	starts := 0
	again := func() {
		for _, m := range []wire.Message{
			&wire.Offer{OfferSeq: 1, Execution: k.Execution, Fence: k.Fence, Attempt: 1, LostAfterMS: 90_000},
			&wire.Go{Execution: k.Execution, Fence: k.Fence, Attempt: 1},
		} {
			effects := w.hear(m)
			if _, ok := find[Start](effects); ok {
				starts++
			}
			if _, ok := find[Note](effects); ok {
				t.Errorf("%T came again and was noted: %v", m, effects)
			}
		}
	}
	again()
	w.do(Done{Key: k, Natural: true, Result: wire.Result{Outcome: octopus.Succeeded}})
	again()
	w.hear(&wire.ResultAck{Execution: k.Execution, Fence: k.Fence, Verdict: wire.VerdictCommitted})
	again()
	if starts != 0 {
		t.Errorf("started %d times more", starts)
	}
	if effects := w.offer("exe_2"); len(effects) == 0 {
		t.Error("another execution is not taken")
	}
}

// The memory of what is over is bounded, and forgets the oldest first.
func TestMemory(t *testing.T) {
	t.Parallel()
	var m memory
	key := func(i int) Key { return Key{fmt.Sprintf("exe_%d", i), 1} }
	for i := range remembered + 10 {
		m.add(key(i))
		m.add(key(i))
	}
	if len(m.keys) != remembered || m.has(key(9)) || !m.has(key(10)) || !m.has(key(remembered+9)) {
		t.Errorf("%d are remembered; 9: %v, 10: %v", len(m.keys), m.has(key(9)), m.has(key(10)))
	}
}

// A machine that slept beyond its lease acts on nothing, before anything was killed.
func TestLeaseCoversHostCalls(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if w.c.Lease().Covers(&wire.Offer{}, w.now) {
		t.Error("an agent that was never connected has a lease")
	}
	w.connect()
	l, o := w.c.Lease(), &wire.Offer{LostAfterMS: 90_000, OnLost: octopus.OnLostRetry}
	end := 25*second + 90*second - leaseMargin
	for at, want := range map[time.Duration]bool{0: true, end - second: true, end: false, time.Hour: false} {
		if got := l.Allows(o, w.now+at); got != want {
			t.Errorf("%s after the hello: %v", at, got)
		}
	}
	if !l.Allows(&wire.Offer{LostAfterMS: 90_000, OnLost: octopus.OnLostFail}, w.now+time.Hour) {
		t.Error("what nobody else may be given is not allowed to go on")
	}
}
