package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"octopus/agent/core"
	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// guest is one attempt on its way through the sandbox of a machine: what agent/worker.go and a runner do.
type guest struct {
	m       *machine
	key     core.Key
	offer   *wire.Offer
	attempt int
	script  script

	asked   bool // the core was asked whether it may start
	running bool
	done    bool
	began   time.Duration
}

// script is what a guest is going to do.
type script struct {
	prepare, runs, every time.Duration
	failure              *spec.Response // nil: it succeeds
	obeys                bool           // ends by itself when it is asked to
}

// begin gives an execution to a worker.
func (m *machine) begin(o *wire.Offer, attempt int) {
	key := core.Key{Execution: o.Execution, Fence: o.Fence}
	g := &guest{m: m, key: key, offer: o, attempt: attempt, script: m.w.script(o)}
	m.guests[key] = g
	m.w.note(m.name, "gets %s fence %d ready as attempt %d", key.Execution, key.Fence, attempt)
	g.after(g.script.prepare, func() {
		if !g.done {
			g.asked = true
			m.post(core.Ready{Key: key})
		}
	})
}

func (w *World) script(o *wire.Offer) script {
	timeout := time.Duration(o.TimeoutMS) * time.Millisecond
	s := script{prepare: w.between(0, 300*time.Millisecond), runs: w.between(0, timeout), every: w.between(500*time.Millisecond, 4*time.Second), obeys: w.chance(2)}
	if w.chance(10) {
		s.prepare = w.between(0, 20*time.Second)
	}
	switch w.rng.IntN(8) {
	case 0:
		s.runs = timeout + time.Hour // until it is killed
	case 1, 2, 3:
		s.runs = w.between(0, 200*time.Millisecond)
	}
	if w.chance(4) {
		r := spec.Failure([]int{400, 503}[w.rng.IntN(2)], "failed", "It went wrong.")
		s.failure = &r
	}
	return s
}

// after does something later, as long as the guest's process lives.
func (g *guest) after(d time.Duration, do func()) { g.m.w.after(d, g.m.proc, do) }

// permitted is the core's answer: the start is on the disk before the guest is.
func (g *guest) permitted(err error) {
	if g.done {
		return
	}
	if err != nil {
		g.end(spec.Failure(503, "not_started", err.Error()), false)
		return
	}
	g.m.disk.add(record{kind: noteStarted, key: g.key, attempt: g.attempt})
	g.m.disk.sync(g.m.proc, g.start)
}

func (g *guest) start() {
	if g.done {
		return
	}
	w := g.m.w
	g.running, g.began = true, w.now
	w.witness.started(w, g)
	g.after(g.script.every, g.call)
	if timeout := time.Duration(g.offer.TimeoutMS) * time.Millisecond; g.script.runs > timeout {
		g.after(timeout, func() { g.end(spec.Failure(504, spec.CodeTimeout, "It ran too long."), false) })
		return
	}
	g.after(g.script.runs, g.finish)
}

// finish is the guest's own end.
func (g *guest) finish() {
	if g.script.failure != nil {
		g.end(*g.script.failure, true)
		return
	}
	g.end(spec.Response{StatusCode: 200, Message: fmt.Sprintf("%s attempt %d fence %d on %s", g.key.Execution, g.attempt, g.key.Fence, g.m.name)}, true)
}

// call is a host call: it changes the world outside.
func (g *guest) call() {
	if g.done {
		return
	}
	if g.m.core.Lease().Allows(g.offer, g.m.clock()) { // the broker asks
		g.m.w.witness.called(g.m.w, g)
	}
	g.after(g.script.every, g.call)
}

// flagged tells the guest that it is to end.
func (g *guest) flagged() {
	if g.script.obeys && !g.done {
		g.after(g.m.w.between(0, 12*time.Second), func() {
			if g.running {
				g.end(spec.Failure(499, spec.CodeCancelled, "It was asked to end."), true)
			}
		})
	}
}

// kill ends the guest's process.
func (g *guest) kill(reason string) {
	g.after(g.m.w.between(0, 20*time.Millisecond), func() { g.end(spec.Failure(499, reason, "It was killed."), false) })
}

// vanish is the end of a guest whose agent is gone.
func (g *guest) vanish() {
	if g.running && !g.done {
		g.m.w.witness.ended(g.m.w, g)
	}
	g.done = true
}

// end reports how it ended.
func (g *guest) end(r spec.Response, natural bool) {
	if g.done {
		return
	}
	g.done = true
	w := g.m.w
	if g.running {
		w.witness.ended(w, g)
	}
	done := core.Done{Key: g.key, Natural: natural}
	if r.Error != nil {
		done.Code = r.Error.Code
	}
	done.Result = wire.Result{Outcome: octopus.Failed, MayRetry: r.MayRetry(), Reason: done.Code}
	if g.running {
		done.Result.ElapsedMS = (w.now - g.began).Milliseconds()
	}
	switch {
	case r.Succeeded():
		done.Result.Outcome, done.Result.MayRetry = octopus.Succeeded, false
	case !natural && done.Code == spec.CodeTimeout:
		done.Result.Outcome = octopus.TimedOut
	}
	raw, _ := json.Marshal(r)
	if done.Result.Response = raw; w.chance(8) { // it goes by hash, and its bytes over HTTP
		sum := sha256.Sum256(raw)
		g.m.blobs[g.key] = raw
		done.Result.Response, done.Result.BlobSHA256 = nil, hex.EncodeToString(sum[:])
	}
	g.m.post(done)
}
