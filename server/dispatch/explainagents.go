package dispatch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"octopus/internal/octopus"
)

// maxCandidates bounds the agents that an explanation names.
const maxCandidates = 200

// candidates says of each agent why it does not run a queued execution; those that its target means come first.
func (d *Dispatcher) candidates(ctx context.Context, x octopus.Execution, steps []octopus.Step) ([]octopus.Candidate, error) {
	selector, err := octopus.ParseSelector(x.Pool)
	if err != nil {
		return nil, err
	}
	selector = selector.Without(x.Sandbox) // who lacks only that is told why
	agents, err := d.roster.all(ctx, d, octopus.Selector{})
	if err != nil {
		return nil, err
	}
	var matching, others []octopus.Candidate
	for _, a := range agents {
		c := octopus.Candidate{AgentID: a.id, AgentName: a.name}
		c.Offers, c.LastOffer = offersTo(steps, a.id)
		switch {
		case x.BoundAgent != "" && a.id != x.BoundAgent:
			continue
		case x.BoundAgent == "" && !selector.Match(a.labels):
			if len(others) < maxCandidates {
				c.State, c.Reason = "no_match", "It does not match "+selector.String()+"."
				others = append(others, c)
			}
			continue
		case slices.Contains(x.Excluded, a.id):
			c.State, c.Reason = "refused", "It refused this execution for good."
		default:
			c.State, c.Reason = d.obstacle(x, a)
		}
		matching = append(matching, c)
	}
	all := append(matching, others...)
	return all[:min(len(all), maxCandidates)], nil
}

// offersTo is how often and when last the steps offered something to an agent.
func offersTo(steps []octopus.Step, agentID string) (n int, last time.Time) {
	for _, s := range steps {
		if s.Kind == "offered" && s.AgentID == agentID {
			n, last = n+s.Count, s.At
		}
	}
	return n, last
}

// obstacle is why an agent that an execution's target means does not have it.
func (d *Dispatcher) obstacle(x octopus.Execution, a known) (state, reason string) {
	now := d.cfg.Now()
	if now.Before(x.NotBefore) {
		return "waiting", "The next attempt is not due yet."
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sessions[a.id]
	if s == nil {
		return whyOne(a, x.Sandbox)
	}
	switch {
	case !s.enabled || s.drained || !s.sandbox.Reaches(x.Sandbox):
		return whyOne(known{name: a.name, sandbox: s.sandbox, enabled: s.enabled, drained: s.drained}, x.Sandbox)
	case s.closed || s.draining:
		return "stopping", a.name + " is stopping and takes no new work."
	case !s.ready:
		return "connecting", a.name + " is connecting and has not told yet what it has."
	case now.Before(s.paused):
		return "paused", a.name + " did not take what it was offered last, so it is left alone for a few seconds."
	case s.credits(now) > 0:
		return "free", a.name + " has room: what waits longer, or has a higher priority, comes first."
	case s.slots > 0:
		return "busy", fmt.Sprintf("%s is busy: %s taken.", a.name, slotsWord(s.slots))
	}
	return "busy", a.name + " is busy."
}

func slotsWord(n int) string {
	if n == 1 {
		return "its one slot is"
	}
	return fmt.Sprintf("all its %d slots are", n)
}
