package dispatch

import (
	"context"
	"fmt"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// Handle takes one message of the agent. The hub calls it in the order of arrival. It blocks only when more is
// reported than can be written. An error means that the peer breaks the protocol: the hub closes the connection
// with its sentence.
func (s *Session) Handle(ctx context.Context, m wire.Message) error {
	switch m := m.(type) {
	case *wire.Heartbeat:
		s.heartbeat(m)
	case *wire.Accept:
		return s.accept(ctx, m)
	case *wire.Reject:
		return s.reject(ctx, m)
	case *wire.Result:
		return s.result(ctx, m)
	case *wire.Log:
		return s.log(ctx, m)
	case *wire.Prepared:
		s.prepared(m)
	case *wire.Progress:
		s.progress(m)
	case *wire.CancelAck:
		s.cancelSeen(m)
	case *wire.Call:
		return s.call(ctx, m)
	case *wire.Hello:
		return s.page(m)
	case *wire.Draining:
		s.drains()
	default:
		return octopus.Errorf(octopus.CodeMalformed, "An agent does not send messages of the type %T.", m)
	}
	return nil
}

// heartbeat notes that the agent lives. It is memory only: no statement reaches the database.
func (s *Session) heartbeat(m *wire.Heartbeat) {
	d := s.d
	now := d.cfg.Now()
	d.mu.Lock()
	s.lastHeartbeat, s.load = now, m.Load
	s.credit(m.Free, m.LastOffer)
	ask := s.compare(m)
	wake := s.credits(now) > 0 && d.backlog.any()
	d.mu.Unlock()
	s.send(&wire.HeartbeatAck{Seq: m.Seq, Rehello: ask})
	if wake {
		d.wakeClaim()
	}
}

// compare reports whether the agent must say hello again: twice in a row it held something else than the server
// believes. While work comes and goes both sides are right to differ, so only quiet intervals count. d.mu is held.
func (s *Session) compare(m *wire.Heartbeat) bool {
	ask := s.rehello
	s.rehello = false
	switch {
	case !s.ready:
		return ask
	case !s.quiet || m.LastOffer < s.offers:
		s.mismatches = 0
	case m.Digest == s.digest():
		s.mismatches = 0
	default:
		s.mismatches++
	}
	s.quiet = true
	if s.mismatches >= 2 {
		s.mismatches, ask = 0, true
	}
	return ask
}

func (s *Session) accept(ctx context.Context, m *wire.Accept) error {
	d := s.d
	d.mu.Lock()
	h := s.holds(m.Execution, m.Fence)
	if h != nil && !h.taken {
		h.taken, s.quiet = true, false
	}
	digest := ""
	if h != nil && !h.running {
		digest = h.digest
	}
	name := s.name
	d.mu.Unlock()
	return d.steps.do(ctx, m.Execution, func() {
		e := event{kind: evAccept, agentID: s.agentID, agentName: name, fence: m.Fence}
		if why := d.revoked(digest); why != "" { // since it was offered
			e = event{kind: evRefuse, code: "plugin_revoked", message: why}
		}
		r := d.step(d.base, m.Execution, e)
		if octopus.CodeOf(r.err) == octopus.CodeNotFound {
			s.send(&wire.Withdrawn{Execution: m.Execution, Fence: m.Fence})
			return
		}
		d.tell(r) // after any other error the agent asks again
	})
}

// revoked says why a module must not be started any more, "" where it may, or where nothing is known of it.
func (d *Dispatcher) revoked(digest string) string {
	if digest == "" {
		return ""
	}
	f, err := d.facts(d.base, digest)
	if err != nil {
		return "" // the offer asked the same before
	}
	return f.refusal
}

// pauses after a reject, so that work is not offered again and again to an agent that cannot take it.
const (
	pauseBusy    = 2 * time.Second
	pauseNoSpace = 30 * time.Second
)

func (s *Session) reject(ctx context.Context, m *wire.Reject) error {
	d := s.d
	now := d.cfg.Now()
	d.mu.Lock()
	s.drop(m.Execution, m.Fence)
	s.credit(m.Free, m.LastOffer)
	switch m.Reason {
	case wire.RejectBusy:
		s.paused = now.Add(pauseBusy)
	case wire.RejectNoSpace:
		s.paused = now.Add(pauseNoSpace)
	}
	e := event{kind: evReject, agentID: s.agentID, agentName: s.name, fence: m.Fence, reject: m.Reason, message: clip(m.Message, 500)}
	d.mu.Unlock()
	return d.steps.do(ctx, m.Execution, func() {
		e.left = d.others(d.base, m.Execution, s.agentID)
		d.tell(d.step(d.base, m.Execution, e))
	})
}

// others counts the agents, besides one, that may still run an execution.
func (d *Dispatcher) others(ctx context.Context, executionID, except string) int {
	x, err := d.store.Execution(ctx, executionID)
	if err != nil || x.BoundAgent != "" {
		return 0
	}
	out := map[string]bool{except: true}
	for _, id := range x.Excluded {
		out[id] = true
	}
	n := 0
	for _, a := range d.roster.matching(ctx, d, x.Pool) {
		if a.enabled && !out[a.id] {
			n++
		}
	}
	return n
}

func (s *Session) result(ctx context.Context, m *wire.Result) error {
	d := s.d
	d.mu.Lock()
	s.credit(m.Free, m.LastOffer)
	wake := d.backlog.any()
	if h := s.holds(m.Execution, m.Fence); h != nil {
		h.prepared, h.progress = nil, nil // the result says it all
	}
	name := s.name
	d.mu.Unlock()
	if wake {
		d.wakeClaim()
	}
	return d.steps.do(ctx, m.Execution, func() { s.record(d.base, m, name) })
}

// record writes a result. One that cannot be written is asked for again with the next heartbeat.
func (s *Session) record(ctx context.Context, m *wire.Result, name string) {
	d := s.d
	o, err := d.outcome(ctx, m)
	if err != nil {
		d.cfg.Log.Error("result not read", "execution", m.Execution, "err", err)
		s.askAgain()
		return
	}
	r := d.step(ctx, m.Execution, event{kind: evResult, agentID: s.agentID, agentName: name, fence: m.Fence, result: o})
	switch {
	case octopus.CodeOf(r.err) == octopus.CodeNotFound:
		s.ack(m, wire.VerdictUnknown, "")
	case r.err != nil:
		d.tell(r)
		s.askAgain()
	case o.invalid != nil && r.changed:
		r.effects = nil
		d.tell(r)
		s.ack(m, wire.VerdictRejected, octopus.Sentence(o.invalid))
	default:
		d.tell(r)
	}
}

func (s *Session) ack(m *wire.Result, v wire.Verdict, reason string) {
	s.d.mu.Lock()
	s.drop(m.Execution, m.Fence)
	s.d.mu.Unlock()
	s.send(&wire.ResultAck{Execution: m.Execution, Fence: m.Fence, Verdict: v, Reason: reason})
}

// outcome reads the response of a result, which may have come before as a blob.
func (d *Dispatcher) outcome(ctx context.Context, m *wire.Result) (*outcome, error) {
	o := &outcome{Result: *m, raw: m.Response, unread: unreadOf(m.Invalid, m.Usage.OutputBytes)}
	if m.BlobSHA256 != "" {
		raw, err := d.store.Blob(ctx, m.BlobSHA256)
		if octopus.CodeOf(err) == octopus.CodeNotFound {
			o.raw, o.invalid = nil, octopus.Errorf(octopus.CodeInvalid, "The response was announced as an upload, but the upload is not there.")
			return o, nil
		}
		if err != nil {
			return nil, fmt.Errorf("uploaded response: %w", err)
		}
		o.raw = raw
	}
	if err := d.filesOf(ctx, o); err != nil {
		return nil, err
	}
	switch o.Outcome {
	case octopus.Succeeded, octopus.Failed, octopus.TimedOut, octopus.Cancelled, octopus.Lost:
	default:
		o.invalid = octopus.Errorf(octopus.CodeInvalid, "The agent reported an outcome that there is not.")
		o.Outcome = octopus.Failed
	}
	if len(o.raw) == 0 && (o.Outcome == octopus.Lost || o.Outcome == octopus.Cancelled || o.Outcome == octopus.TimedOut) {
		return o, nil
	}
	response, err := spec.DecodeResponse(o.raw)
	if err != nil {
		o.unread = unreadOf(o.raw, 0)
		o.raw, o.invalid = nil, octopus.Errorf(octopus.CodeInvalid, "%s", err)
		return o, nil
	}
	o.response = response
	return o, nil
}

func (s *Session) prepared(m *wire.Prepared) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if h := s.holds(m.Execution, m.Fence); h != nil {
		h.prepared = m
	}
}

// progress keeps the newest word; the sweeper writes it.
func (s *Session) progress(m *wire.Progress) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if h := s.holds(m.Execution, m.Fence); h != nil {
		h.progress = &octopus.Progress{Fraction: min(max(m.Fraction, 0), 1), Message: clip(m.Message, 200)}
	}
}

func (s *Session) cancelSeen(m *wire.CancelAck) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if h := s.holds(m.Execution, m.Fence); h != nil {
		h.cancelSeen = true
	}
}

func (s *Session) drains() {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.draining = true
}

// clip cuts text to at most n bytes, at the end of a character.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xc0 == 0x80 {
		n--
	}
	return text[:n] + "…"
}
