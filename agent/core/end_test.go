package core

import (
	"errors"
	"slices"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

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

// TestUploadOfArtifacts: the response goes first, then the files; files that the server refuses take nothing of the
// result away.
func TestUploadOfArtifacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.connect()
	k := w.running("a")
	effects := w.do(Done{Key: k, Natural: true, Result: wire.Result{Outcome: octopus.Succeeded, BlobSHA256: "abc", ArtifactsSHA256: "def"}})
	if u, ok := find[Upload](effects); !ok || u.SHA256 != "abc" || u.Artifacts {
		t.Fatalf("%+v", effects)
	}
	effects = w.do(Uploaded{Key: k})
	if u, ok := find[Upload](effects); !ok || u.SHA256 != "def" || !u.Artifacts {
		t.Fatalf("%+v", effects)
	}
	w.do(Uploaded{Key: k, Err: errors.New("no route")})
	w.hear(&wire.HeartbeatAck{Seq: 1})
	if u, ok := find[Upload](w.after(6 * second)); !ok || u.SHA256 != "def" {
		t.Error("not tried again")
	}
	effects = w.do(Uploaded{Key: k, Err: errors.New("too large"), Refused: true})
	r, n := sent[*wire.Result](effects)
	if n != 1 || r.Outcome != octopus.Succeeded || r.BlobSHA256 != "abc" || r.ArtifactsSHA256 != "" || r.ArtifactsLost == "" {
		t.Errorf("refused files: %+v", r)
	}
	if kept, ok := find[Keep](effects); !ok || kept.Result.ArtifactsLost == "" {
		t.Error("the journal does not know that they are lost")
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
