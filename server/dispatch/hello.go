package dispatch

import (
	"context"
	"slices"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// maxSessions is how many connections of an agent are looked at for its journal, as many as the store keeps.
const maxSessions = 200

// maxHelloItems bounds what one agent may say that it holds.
const maxHelloItems = 50_000

// page takes one page of a hello, the first or one that was asked for, and reconciles after the last.
func (s *Session) page(m *wire.Hello) error {
	d := s.d
	d.mu.Lock()
	if !s.expects(m) {
		d.mu.Unlock()
		return nil
	}
	s.items = append(s.items, m.Items...)
	if len(s.items) > maxHelloItems || len(m.Items) > wire.HelloPage {
		d.mu.Unlock()
		return octopus.Errorf(octopus.CodeTooLarge, "The hello names too many executions: at most %d a page and %d in all.", wire.HelloPage, maxHelloItems)
	}
	items := s.items
	if m.End {
		s.items = nil
	}
	before := s.taken()
	d.mu.Unlock()
	if !m.End {
		return nil
	}
	return d.hello.do(d.base, s.agentID, func() { s.reconcile(d.base, items, before) })
}

// expects reports whether a page continues the newest hello, or begins a newer one. What a transport sends again says
// what the agent held before: taken for new it would prove that what started since never did. d.mu is held.
func (s *Session) expects(m *wire.Hello) bool {
	switch {
	case m.Seq == 0:
		return true
	case m.Seq > s.helloSeq && m.Page == 0:
		s.helloSeq, s.helloPage, s.items = m.Seq, 0, nil
	case m.Seq != s.helloSeq || m.Page != s.helloPage:
		return false
	}
	s.helloPage++
	return true
}

// taken is what the agent had said it took before it sent this hello: of anything newer the hello says nothing. It
// is nil for the first hello of a session, which speaks of everything. d.mu is held.
func (s *Session) taken() map[string]int64 {
	if !s.ready {
		return nil
	}
	fences := make(map[string]int64, len(s.held))
	for id, h := range s.held {
		if h.taken {
			fences[id] = h.fence
		}
	}
	return fences
}

// reconcile compares what the agent holds with what the database says, answers every item, and only then lets the
// agent have new work. When the database cannot be read the agent is asked again with its next heartbeat.
func (s *Session) reconcile(ctx context.Context, items []wire.Item, before map[string]int64) {
	d := s.d
	stored, err := d.store.Held(ctx, s.agentID)
	if err != nil {
		d.cfg.Log.Error("hello not answered", "agent", s.agentID, "err", err)
		s.askAgain()
		return
	}
	d.mu.Lock()
	name := s.name
	d.mu.Unlock()
	holdings := make(map[string]*holding, len(items))
	answers := make([]wire.AnsweredItem, 0, len(items))
	named := make(map[string]int64, len(items))
	for _, it := range items {
		named[it.Execution] = max(named[it.Execution], it.Fence)
		answer, h, err := s.answer(ctx, it, name)
		if err != nil {
			s.askAgain()
			return
		}
		answers = append(answers, answer)
		if h != nil {
			holdings[it.Execution] = h
		}
	}
	doubts, err := s.missing(ctx, name, stored, named, before)
	if err != nil {
		d.cfg.Log.Error("hello not answered", "agent", s.agentID, "err", err)
		s.askAgain()
		return
	}
	for _, x := range doubts {
		holdings[x.ID] = holdingOf(x)
		holdings[x.ID].doubted = true
	}
	s.settle(holdings, before)
	for page := range slices.Chunk(answers, wire.HelloPage) {
		answers = answers[len(page):]
		s.send(&wire.HelloAnswer{Items: page, End: len(answers) == 0})
	}
	if len(items) == 0 {
		s.send(&wire.HelloAnswer{End: true})
	}
	if len(doubts) > 0 {
		s.send(&wire.HeartbeatAck{Rehello: true}) // of no heartbeat: it acknowledges none
	}
	d.wakeClaim()
	d.prefetch(ctx, s)
}

func (s *Session) askAgain() {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.rehello = true
}

// answer decides about one item. A holding comes with what the agent keeps.
func (s *Session) answer(ctx context.Context, it wire.Item, name string) (wire.AnsweredItem, *holding, error) {
	e := event{kind: evHello, agentID: s.agentID, agentName: name, fence: it.Fence, phase: it.Phase}
	var r stepped
	err := s.d.inLane(ctx, it.Execution, func(ctx context.Context) {
		r = s.d.step(ctx, it.Execution, e)
		s.d.tell(r)
	})
	out := wire.AnsweredItem{Execution: it.Execution, Fence: it.Fence, Answer: wire.AnswerDiscard}
	if err == nil {
		err = r.err
	}
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return out, nil, nil
	}
	if err != nil {
		return out, nil, err
	}
	for _, f := range r.effects {
		if f.kind == sendAnswer {
			out.Answer, out.Attempt = f.answer, f.attempt
		}
	}
	if out.Answer == wire.AnswerDiscard {
		return out, nil, nil
	}
	h := holdingOf(r.x)
	h.fence, h.taken = it.Fence, true
	if out.Answer == wire.AnswerCancel {
		h.cancelled, h.grace = s.d.cfg.Now(), s.d.rules.cancelGrace // repeated until the agent confirms it
	}
	h.running = out.Answer == wire.AnswerGo || out.Answer == wire.AnswerKeep || r.x.Status == octopus.Running && r.x.Fence == it.Fence
	return out, h, nil
}

// missing decides about what the database says the agent has, and the agent does not name. What runs by the first hello
// of a session is only doubted: that hello may be an old one, which a server read late that was frozen, or that a network
// kept, and since then the agent may have been given a go elsewhere. The second hello was asked for, so it is new.
func (s *Session) missing(ctx context.Context, name string, stored []octopus.Execution, named, before map[string]int64) (doubts []octopus.Execution, err error) {
	var sessions []octopus.AgentSession
	for _, x := range stored {
		fence, ok := named[x.ID]
		if ok && fence == x.Fence {
			continue
		}
		if before != nil && before[x.ID] != x.Fence {
			continue
		}
		if before == nil && x.Status == octopus.Running && (!ok || fence < x.Fence) {
			doubts = append(doubts, x)
			continue
		}
		if sessions == nil {
			if sessions, err = s.d.store.AgentSessions(ctx, s.agentID, maxSessions); err != nil {
				return nil, err
			}
		}
		e := event{kind: evNeverStarted, agentID: s.agentID, agentName: name, fence: x.Fence}
		switch {
		case ok && fence > x.Fence: // the database was restored, and the agent has a later try than it knows of
			e.kind, e.code, e.message = evLost, "restored", s.d.rules.forgot()
		case s.doubted(x) && !s.sameJournal(sessions, x.GoAt): // within a session the journal cannot change
			e.kind, e.code = evLost, "journal_lost"
			e.message = name + " came back without its journal, so nobody knows whether it ran."
		}
		s.d.background(x.ID, func(ctx context.Context) { s.d.tell(s.d.step(ctx, x.ID, e)) })
	}
	return doubts, nil
}

// doubted reports whether the first hello of the session did not name x, which ran.
func (s *Session) doubted(x octopus.Execution) bool {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	h := s.holds(x.ID, x.Fence)
	return h != nil && h.doubted
}

// sameJournal reports whether the agent has had one and the same journal since an execution was given its go: only
// then does its absence prove that it never started. A session counts from when it was opened, whether or not its
// hello was ever answered.
func (s *Session) sameJournal(sessions []octopus.AgentSession, since time.Time) bool {
	var latest time.Time // of all sessions up to this one; a clock that went back makes none of them count as earlier
	begin := -1
	for i, old := range slices.Backward(sessions) { // oldest first
		if old.Epoch >= s.epoch {
			continue
		}
		if latest = later(latest, old.ConnectedAt); old.ConnectedAt.Equal(latest) && !latest.After(since) {
			begin = i
		}
	}
	if begin < 0 {
		return false
	}
	for _, old := range sessions[:begin+1] {
		if _, journal, _ := strings.Cut(old.Incarnation, "/"); old.Epoch < s.epoch && journal != s.journal {
			return false
		}
	}
	return true
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// settle makes the reconciled holdings the session's, and opens it for work.
func (s *Session) settle(holdings map[string]*holding, before map[string]int64) {
	d := s.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if !s.ready {
		delete(d.absent, s.agentID)
	}
	for id, h := range s.held {
		if holdings[id] == nil && before[id] != h.fence {
			holdings[id] = h // it came after the hello
		}
	}
	s.held, s.ready, s.quiet, s.mismatches = holdings, true, false, 0
	d.backlog.revive()
}
