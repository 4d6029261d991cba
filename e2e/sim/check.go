package sim

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// checkCommit holds a change against the promises, before it is written.
func (w *World) checkCommit(r *row, c *store.Change) {
	x, next := r.Execution, c.Next
	ended := x.Status.Terminal()
	changed := next.Status != x.Status || next.Fence != x.Fence || next.Attempt != x.Attempt || next.AgentID != x.AgentID ||
		next.Reason != nil && (x.Reason == nil || *next.Reason != *x.Reason) || next.Response != nil
	switch {
	case ended && (changed || c.Attempt != nil || len(c.Results) > 0 || len(c.Artifacts) > 0 || len(c.Cache) > 0):
		w.violated("promise 2: %s had ended as %s, and changes to %s fence %d", x.ID, x.Status, next.Status, next.Fence)
	case next.Status != x.Status && !x.Status.CanBecome(next.Status):
		w.violated("%s: %s cannot become %s", x.ID, x.Status, next.Status)
	case next.Fence < x.Fence || next.Attempt < x.Attempt || next.Attempt > x.Attempt+1:
		w.violated("%s: fence %d→%d or attempt %d→%d", x.ID, x.Fence, next.Fence, x.Attempt, next.Attempt)
	case next.Status == octopus.Offered && x.Status == octopus.Queued && next.Fence == x.Fence:
		w.violated("%s was offered under the fence %d of an earlier offer", x.ID, x.Fence)
	case next.Status == octopus.Offered && x.Status == octopus.Queued && !w.contains(next.AgentID, x.Sandbox):
		w.violated("%s asks for the sandbox %s and is offered to %s, which does not reach it", x.ID, x.Sandbox, next.AgentID)
	case x.Cancelling && next.Status == octopus.Queued:
		w.violated("%s was being cancelled and is queued again", x.ID)
	}
	if a := c.Attempt; a != nil && a.Status == octopus.Lost && a.Reason != nil && strings.Contains(a.Reason.Message, "was not heard for") {
		if silence := w.now - w.heard[x.AgentID]; silence < x.LostAfter {
			w.violated("%s is given up because of silence, but %s was heard %s ago", x.ID, x.AgentID, silence)
		}
	}
	if next.Response != nil && r.results > 0 && !bytes.Equal(next.Response, r.Response) {
		w.violated("promise 2: %s gets a second result", x.ID)
	}
}

// contains reports whether an agent's sandbox reaches a level.
func (w *World) contains(agentID string, asked octopus.SandboxLevel) bool {
	a := w.db.agents[agentID]
	return a != nil && octopus.SandboxLevel(a.Facts.Sandbox.Level).Reaches(asked)
}

// settled reports whether everything has ended and nobody believes to hold anything.
func (w *World) settled() bool {
	for _, id := range w.db.ids {
		if !w.db.rows[id].Status.Terminal() {
			return false
		}
	}
	return w.leftovers() == ""
}

// leftovers names a slot, a credit or a holding that is not free.
func (w *World) leftovers() string {
	for _, m := range w.agents {
		if !m.up() {
			return m.name + " does not run"
		}
		if n := len(m.core.Holdings()); n > 0 {
			h := m.core.Holdings()[0]
			return fmt.Sprintf("%s holds %d executions, such as %s fence %d (%s)", m.name, n, h.Key.Execution, h.Key.Fence, h.Phase)
		}
		if free := m.core.Free(); free != m.slots {
			return fmt.Sprintf("%s has %d of %d slots free", m.name, free, m.slots)
		}
		if !m.core.Welcomed() {
			return m.name + " is not connected"
		}
		s := m.conn.s
		p, ok := s.d.Presence(m.id)
		if !ok || p.Free != m.slots {
			return fmt.Sprintf("%s believes that %s has %d of %d credits (connected %v)", s.name, m.name, p.Free, m.slots, ok)
		}
	}
	for _, s := range w.servers {
		if !s.up() {
			return s.name + " does not run"
		}
		if held, absent, reserved := s.d.Idle(); held+absent+reserved > 0 {
			return fmt.Sprintf("%s believes that agents hold %d executions, absent ones %d, and reserves %d credits", s.name, held, absent, reserved)
		}
	}
	return ""
}

// Times that the bound of promise 2 is made of, beside what the submission says.
const (
	slack    = 60 * time.Second
	prepare  = 20 * time.Second // the longest that a module takes to be ready
	overtime = 30 * time.Second // dispatch's TimeoutSlack
)

// retryWait is how long an execution waits before another attempt, where it has no deadline.
func (w *World) retryWait(r *row) time.Duration {
	if r.MaxAttempts == 1 {
		return 0
	}
	return w.db.runs[r.RunID].Work.WaitTTL
}

// bound is when an execution must have ended: in promise 2's words, counted from the end of the faults where that is
// later, since no promise holds while no server runs.
func (w *World) bound(r *row) time.Time {
	from := epoch.Add(faultsEnd)
	if r.CreatedAt.After(from) {
		from = r.CreatedAt
	}
	work := w.db.runs[r.RunID].Work
	all := work.Deadline
	if all == 0 {
		all = time.Duration(r.MaxAttempts) * (r.Timeout + overtime + prepare + 20*time.Second + w.retryWait(r))
	}
	return from.Add(work.WaitTTL + all + r.LostAfter + slack)
}

// checkEnd is what must hold when all is over.
func (w *World) checkEnd(horizon bool) {
	for _, id := range w.db.ids {
		r := w.db.rows[id]
		if !r.Status.Terminal() {
			w.violated("promise 2: %s is still %s (fence %d, %s) at %s, its bound was %s", id, r.Status, r.Fence, r.AgentID, w.now, w.bound(r).Sub(epoch))
			return
		}
		if late := r.FinishedAt.Sub(w.bound(r)) - w.db.skew; late > 0 {
			w.violated("promise 2: %s ended %s after its bound", id, late)
			return
		}
		w.checkResult(r)
		w.checkNeverStarted(r)
	}
	w.judge()
	if why := w.leftovers(); horizon && why != "" {
		w.violated("promise 4: nothing runs any more, but %s", why)
	}
}

// checkResult compares the result with what the agent of the committed attempt journalled.
func (w *World) checkResult(r *row) {
	if r.Response == nil {
		if r.Status == octopus.Succeeded {
			w.violated("%s succeeded without a result", r.ID)
		}
		return
	}
	a := w.db.attempts[r.ID][r.Attempt]
	if a == nil {
		w.violated("%s has a result and no attempt %d", r.ID, r.Attempt)
		return
	}
	for key, kept := range w.witness.bytes {
		if key.Execution != r.ID || key.Fence != a.Fence {
			continue
		}
		for _, raw := range kept {
			if bytes.Equal(raw, r.Response) {
				return
			}
		}
	}
	w.violated("promise 2: the result of %s (attempt %d fence %d) is not what an agent journalled: %s", r.ID, a.Number, a.Fence, r.Response)
}

// checkNeverStarted: who says that a guest never started must be right.
func (w *World) checkNeverStarted(r *row) {
	for _, s := range w.witness.starts[r.ID] {
		a := w.db.attempts[r.ID][s.attempt]
		switch {
		case a == nil:
			w.violated("%s started as attempt %d, which is not recorded", r.ID, s.attempt)
		case a.Reason != nil && a.Reason.Code == "never_started",
			a.Reason != nil && strings.Contains(a.Reason.Message, "before it started"):
			w.violated("attempt %d of %s is recorded as never started, and the witness saw it start at %s", s.attempt, r.ID, s.at)
		}
	}
	if r.Status == octopus.Succeeded {
		for _, s := range w.witness.starts[r.ID] {
			if s.attempt == r.Attempt && s.ended {
				return
			}
		}
		w.violated("%s succeeded, and no guest of attempt %d ended", r.ID, r.Attempt)
	}
}
