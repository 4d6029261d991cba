package core

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// TestRandomHistories feeds the core anything in any order and checks what must always hold.
func TestRandomHistories(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := &history{t: t, c: New(Config{Slots: 3, MaxPending: 5}, nil), lives: map[Key]*life{}}
		for range rapid.IntRange(10, 120).Draw(t, "steps") {
			h.step()
		}
	})
}

// life is what happened to one try of an execution.
type life struct {
	started, permitted, done, gone bool
	cancelled                      bool
}

type history struct {
	t     *rapid.T
	c     *Core
	now   time.Duration
	lives map[Key]*life
	up    bool
}

func (h *history) key() Key {
	return Key{fmt.Sprintf("exe_%d", rapid.IntRange(0, 4).Draw(h.t, "execution")), int64(rapid.IntRange(1, 3).Draw(h.t, "fence"))}
}

func (h *history) step() {
	h.now += time.Duration(rapid.IntRange(0, 40_000).Draw(h.t, "ms")) * time.Millisecond
	if rapid.IntRange(0, 50).Draw(h.t, "sleep") == 0 {
		h.now += time.Hour
	}
	k := h.key()
	var e Event
	switch rapid.IntRange(0, 13).Draw(h.t, "event") {
	case 0:
		e, h.up = Connected{}, true
	case 1:
		e, h.up = Disconnected{}, false
	case 2:
		e = Message{&wire.Welcome{HeartbeatMS: 10_000, OfflineMS: 25_000, FirstAfterMS: 1000}}
	case 3, 4:
		lost := rapid.SampledFrom([]octopus.OnLost{octopus.OnLostFail, octopus.OnLostRetry}).Draw(h.t, "lost")
		e = Message{&wire.Offer{Execution: k.Execution, Fence: k.Fence, Attempt: 1, LostAfterMS: 90_000, OnLost: lost}}
	case 5, 6:
		e = Message{&wire.Go{Execution: k.Execution, Fence: k.Fence, Attempt: 1}}
	case 7:
		e = Message{&wire.Cancel{Execution: k.Execution, Fence: k.Fence, GraceMS: int64(rapid.IntRange(0, 20_000).Draw(h.t, "grace"))}}
		if l := h.lives[k]; l != nil && !l.done {
			l.cancelled = true
		}
	case 8, 9: // workers speak only of what was started
		e = h.worker(k)
	case 10:
		v := rapid.SampledFrom([]wire.Verdict{wire.VerdictCommitted, wire.VerdictStale}).Draw(h.t, "verdict")
		e = Message{&wire.ResultAck{Execution: k.Execution, Fence: k.Fence, Verdict: v}}
	case 11:
		a := rapid.SampledFrom([]wire.Answer{wire.AnswerGo, wire.AnswerKeep, wire.AnswerCancel, wire.AnswerDiscard, wire.AnswerSendResult}).Draw(h.t, "answer")
		if l := h.lives[k]; l != nil && a == wire.AnswerCancel && !l.done {
			l.cancelled = true
		}
		e = Message{&wire.HelloAnswer{End: true, Items: []wire.AnsweredItem{{Execution: k.Execution, Fence: k.Fence, Answer: a}}}}
	case 12:
		e = Message{&wire.HeartbeatAck{Seq: h.c.beatSeq}}
	case 13:
		e = Tick{}
	}
	h.check(h.c.Step(h.now, e))
}

func (h *history) worker(k Key) Event {
	l := h.lives[k]
	switch {
	case l == nil || !l.started || l.done:
		return Tick{}
	case !l.permitted && rapid.Bool().Draw(h.t, "ready"):
		return Ready{Key: k}
	}
	l.done = true
	return Done{Key: k, Natural: rapid.Bool().Draw(h.t, "natural"), Result: wire.Result{Outcome: octopus.Succeeded}}
}

// check is what must hold after every step.
func (h *history) check(effects []Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case Note:
			k := Key{e.Offer.Execution, e.Offer.Fence}
			if l := h.lives[k]; l != nil && !l.gone {
				h.t.Fatalf("%v was noted twice", k)
			}
			h.lives[k] = &life{}
		case Start:
			l := h.lives[Key{e.Offer.Execution, e.Offer.Fence}]
			if l == nil || l.started || l.gone || l.cancelled {
				h.t.Fatalf("%s was started, but is %+v", e.Offer.Execution, l)
			}
			l.started = true
		case Permit:
			l := h.lives[e.Key]
			if e.Err == nil && (l == nil || l.permitted || l.cancelled || l.gone || !h.c.leased) {
				h.t.Fatalf("%v may start, but is %+v", e.Key, l)
			}
			if e.Err == nil && h.c.now >= h.c.leaseEnd(h.c.items[e.Key].offer) {
				h.t.Fatalf("%v may start without a lease", e.Key)
			}
			l.permitted = l.permitted || e.Err == nil
		case Kill:
			if l := h.lives[e.Key]; l == nil || !l.started || l.done {
				h.t.Fatalf("%v was killed, but is %+v", e.Key, l)
			}
		case Send:
			h.checkSend(e.Message)
		case Commit:
			h.end(e.Key, true)
		case File:
			h.end(e.Key, true)
		case Drop:
			h.end(e.Key, false)
		}
	}
	if h.c.Held() > 3 {
		h.t.Fatalf("%d held in 3 slots", h.c.Held())
	}
	if len(h.c.items) != len(h.c.order) {
		h.t.Fatalf("%d items, %d in order", len(h.c.items), len(h.c.order))
	}
	if at, ok := h.c.Wake(); ok && at <= h.now {
		h.t.Fatalf("after a step at %v something is due at %v", h.now, at)
	}
}

func (h *history) checkSend(m wire.Message) {
	if r, ok := m.(*wire.Result); ok {
		if l := h.lives[Key{r.Execution, r.Fence}]; l == nil || !l.done || l.gone {
			h.t.Fatalf("the result of %s was sent, but it is %+v", r.Execution, l)
		}
	}
	if !h.up {
		h.t.Fatalf("%T was sent without a socket", m)
	}
}

func (h *history) end(k Key, ran bool) {
	l := h.lives[k]
	if l == nil || l.gone || l.started != ran || ran && !l.done {
		h.t.Fatalf("%v ended (ran %v), but is %+v", k, ran, l)
	}
	l.gone = true
}
