package sim

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// CreateRun implements dispatch.Store.
func (h *handle) CreateRun(_ context.Context, n store.NewRun) (run octopus.Run, replay bool, err error) {
	err = h.write("a run", func() error {
		b := h.b
		if n.Key != nil {
			if id := b.keys[n.Key.Key]; id != "" {
				run, replay = *b.runs[id], true
				return nil
			}
			b.keys[n.Key.Key] = n.Run.ID
		}
		run = n.Run
		b.runs[run.ID] = &run
		spread := run.Target.Mode == octopus.TargetAny && len(n.Executions) > 1
		for _, x := range n.Executions {
			x.RunID = run.ID
			r := &row{Execution: x, spread: spread}
			b.rows[x.ID] = r
			b.ids = append(b.ids, x.ID)
			b.w.note(h.s.name, "commits %s of %s, %s fence %d %s%s", x.ID, run.ID, x.Status, x.Fence, x.AgentID, x.BoundAgent)
		}
		return nil
	})
	return run, replay, err
}

// Step implements dispatch.Store.
func (h *handle) Step(_ context.Context, id string, step store.StepFunc) (x octopus.Execution, err error) {
	err = h.write("a step", func() (err error) {
		x, err = h.b.step(h.s.name, id, step)
		return err
	})
	return x, err
}

// Claim implements dispatch.Store.
func (h *handle) Claim(_ context.Context, q store.ClaimQuery, offer store.OfferFunc) (claimed []octopus.Execution, err error) {
	err = h.write("a claim", func() error {
		c := claim{h: h, left: q.Limit, agents: slices.Clone(q.Agents), offer: offer}
		for i := range c.agents {
			c.bound(&c.agents[i])
		}
		c.pooled()
		claimed = c.claimed
		return nil
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// claim is one Claim under way.
type claim struct {
	h       *handle
	left    int
	agents  []store.ClaimAgent
	offer   store.OfferFunc
	claimed []octopus.Execution
}

// waiting lists what may be claimed, in its order.
func (c *claim) waiting(which func(*row) bool) []*row {
	var list []*row
	for _, id := range c.h.b.ids {
		if r := c.h.b.rows[id]; r.Status == octopus.Queued && !r.NotBefore.After(c.h.b.now()) && which(r) {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list, func(a, b *row) int { return cmp.Compare(b.Priority, a.Priority) })
	return list
}

func (c *claim) bound(a *store.ClaimAgent) {
	for _, r := range c.waiting(func(r *row) bool { return r.BoundAgent == a.ID && a.Sandbox.Reaches(r.Sandbox) }) {
		c.take(r, a)
	}
}

func (c *claim) pooled() {
	for _, r := range c.waiting(func(r *row) bool { return r.BoundAgent == "" }) {
		var best *store.ClaimAgent
		for i := range c.agents {
			a := &c.agents[i]
			if a.Credits > 0 && (best == nil || a.Credits > best.Credits) && slices.Contains(a.Pools, r.Pool) &&
				!slices.Contains(r.Excluded, a.ID) && !c.h.b.had(r, a.ID) {
				best = a
			}
		}
		if best != nil {
			c.take(r, best)
		}
	}
}

// had reports whether the agent has, or had, another execution of the same any(n).
func (b *database) had(r *row, agentID string) bool {
	if !r.spread {
		return false
	}
	for _, id := range b.ids {
		o := b.rows[id]
		if o == r || o.RunID != r.RunID || o.AgentID != agentID {
			continue
		}
		switch o.Status {
		case octopus.Offered, octopus.Running, octopus.Succeeded, octopus.Failed, octopus.TimedOut, octopus.Lost:
			return true
		}
	}
	return false
}

func (c *claim) take(r *row, a *store.ClaimAgent) {
	if c.left <= 0 || a.Credits <= 0 {
		return
	}
	change, err := c.offer(lean(r), *a, c.h.b.now())
	if errors.Is(err, store.ErrNoChange) || err != nil {
		return
	}
	x, err := c.h.b.apply(c.h.s.name, r, change)
	if err != nil {
		return
	}
	x.Params = r.Params
	a.Credits--
	c.left--
	c.claimed = append(c.claimed, x)
}

// Execution implements dispatch.Store.
func (h *handle) Execution(_ context.Context, id string) (octopus.Execution, error) {
	if err := h.read(); err != nil {
		return octopus.Execution{}, err
	}
	r := h.b.rows[id]
	if r == nil {
		return octopus.Execution{}, notFound("execution", id)
	}
	return r.Execution, nil
}

// list reads rows, without what lists do not carry.
func (h *handle) list(which func(*row) bool) ([]octopus.Execution, error) {
	if err := h.read(); err != nil {
		return nil, err
	}
	var list []octopus.Execution
	for _, id := range h.b.ids {
		if r := h.b.rows[id]; which(r) {
			list = append(list, lean(r))
		}
	}
	return list, nil
}

// Executions implements dispatch.Store. Only the statuses of a filter are used.
func (h *handle) Executions(_ context.Context, f store.ExecutionFilter, _ store.Page) (items []octopus.Execution, next string, err error) {
	items, err = h.list(func(r *row) bool { return slices.Contains(f.Statuses, r.Status) })
	return items, "", err
}

// Held implements dispatch.Store.
func (h *handle) Held(_ context.Context, agentID string) ([]octopus.Execution, error) {
	return h.list(func(r *row) bool {
		return r.AgentID == agentID && (r.Status == octopus.Offered || r.Status == octopus.Running)
	})
}

// UndeliveredCancels implements dispatch.Store.
func (h *handle) UndeliveredCancels(_ context.Context, agentIDs []string) ([]octopus.Execution, error) {
	return h.list(func(r *row) bool {
		return r.Cancelling && r.Status == octopus.Running && slices.Contains(agentIDs, r.AgentID)
	})
}

// RunExecutions implements dispatch.Store.
func (h *handle) RunExecutions(_ context.Context, runID string, _ store.Page) (items []octopus.Execution, next string, err error) {
	items, err = h.list(func(r *row) bool { return r.RunID == runID })
	return items, "", err
}

// Due implements dispatch.Store.
func (h *handle) Due(_ context.Context, now time.Time, limit int) ([]string, error) {
	past := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	list, err := h.list(func(r *row) bool {
		switch r.Status {
		case octopus.Queued:
			return past(r.DeadlineAt) || past(r.WaitUntil) || past(r.NotBefore) && now.Sub(r.NotBefore) < 3*time.Second
		case octopus.Offered:
			return past(r.DeadlineAt) || past(r.OfferExpiresAt)
		case octopus.Running:
			return past(r.DeadlineAt)
		}
		return false
	})
	var ids []string
	for _, x := range list[:min(limit, len(list))] {
		ids = append(ids, x.ID)
	}
	return ids, err
}

// QueuedPools implements dispatch.Store.
func (h *handle) QueuedPools(context.Context) (pools, agentIDs []string, err error) {
	list, err := h.list(func(r *row) bool { return r.Status == octopus.Queued })
	for _, x := range list {
		if x.BoundAgent != "" {
			agentIDs = append(agentIDs, x.BoundAgent)
		} else {
			pools = append(pools, x.Pool)
		}
	}
	slices.Sort(pools)
	slices.Sort(agentIDs)
	return slices.Compact(pools), slices.Compact(agentIDs), err
}

// Run implements dispatch.Store.
func (h *handle) Run(_ context.Context, id string) (octopus.Run, error) {
	if err := h.read(); err != nil {
		return octopus.Run{}, err
	}
	run := h.b.runs[id]
	if run == nil {
		return octopus.Run{}, notFound("run", id)
	}
	out := *run
	out.Counts = make(octopus.Counts)
	for _, r := range h.b.rows {
		if r.RunID == id {
			out.Counts[r.Status]++
		}
	}
	return out, nil
}

// Attempts implements dispatch.Store.
func (h *handle) Attempts(_ context.Context, executionID string) ([]octopus.Attempt, error) {
	var list []octopus.Attempt
	for n := range len(h.b.attempts[executionID]) + 1 {
		if a := h.b.attempts[executionID][n]; a != nil {
			list = append(list, *a)
		}
	}
	return list, h.read()
}

// Blob implements dispatch.Store.
func (h *handle) Blob(_ context.Context, sha string) ([]byte, error) {
	if err := h.read(); err != nil {
		return nil, err
	}
	if raw, ok := h.b.blobs[sha]; ok {
		return raw, nil
	}
	return nil, notFound("upload", sha)
}

// saveBlob is store.SaveBlob.
func (h *handle) saveBlob(sha string, raw []byte) error {
	return h.write("an upload", func() error {
		h.b.blobs[sha] = raw
		return nil
	})
}

// SaveProgress implements dispatch.Store.
func (h *handle) SaveProgress(context.Context, string, int64, octopus.Progress) error {
	return h.read()
}

// UnexpandedRuns implements dispatch.Store: fan-outs here are small.
func (h *handle) UnexpandedRuns(context.Context) ([]string, error) { return nil, h.read() }
