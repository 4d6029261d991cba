package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"octopus/internal/octopus"
)

const (
	// claimPage is how many candidates of a pool are read at a time.
	claimPage = 100
	// claimPages bounds how far one claim looks behind executions that none of its agents may run.
	claimPages = 10
)

// OfferFunc decides how a claimed execution is offered to an agent. It is pure, as [StepFunc].
type OfferFunc = func(x octopus.Execution, a ClaimAgent, now time.Time) (Change, error)

// Claim offers queued executions to agents that can take them: first what is bound to these agents, then their
// pools; by priority, then by age. Excluded agents, not_before and "no two executions of one any(n) run on one
// agent" are respected. Where offer returns [ErrNoChange] the execution stays queued. What it returns carries
// Params. Two servers never claim the same execution.
func (s *Store) Claim(ctx context.Context, q ClaimQuery, offer OfferFunc) ([]octopus.Execution, error) {
	var claimed []octopus.Execution
	err := s.write(ctx, func(t *tx) error {
		c := newClaim(t, q, offer)
		if err := c.bound(); err != nil {
			return s.fail("claim", err)
		}
		if err := c.pooled(); err != nil {
			return s.fail("claim", err)
		}
		claimed = c.claimed
		return s.fail("params", addParams(context.Background(), t, claimed))
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// claim is one Claim under way.
type claim struct {
	tx      *tx
	offer   OfferFunc
	agents  []*ClaimAgent // copies, with their credits as they shrink
	left    int
	claimed []octopus.Execution
}

func newClaim(t *tx, q ClaimQuery, offer OfferFunc) *claim {
	c := &claim{tx: t, offer: offer, left: q.Limit}
	if c.left <= 0 {
		c.left = 200
	}
	for i := range q.Agents {
		if agent := q.Agents[i]; agent.Credits > 0 {
			c.agents = append(c.agents, &agent)
		}
	}
	return c
}

// candidate is an execution that might be claimed.
type candidate struct {
	octopus.Execution
	spread bool // one of an any(n) with n > 1
}

func scanCandidate(row scanner) (candidate, error) {
	var e executionScan
	var spread bool
	if err := row.Scan(append(e.targets(), &spread)...); err != nil {
		return candidate{}, err
	}
	x, err := e.decode()
	return candidate{x, spread}, err
}

var boundSQL = "SELECT " + executionColumns + `, spread FROM executions
WHERE status = 'queued' AND bound_agent = ? AND not_before <= ? AND sandbox IN (?, ?, ?, ?, ?) ORDER BY priority DESC, id LIMIT ?`

// bound claims what only one of the agents may run, and may run there. What asks for a better sandbox than the agent
// has stays, and hides nothing that is behind it.
func (c *claim) bound() error {
	for _, agent := range c.agents {
		if c.left <= 0 {
			return nil
		}
		args := []any{agent.ID, micros(c.tx.now)}
		for _, level := range append(octopus.SandboxLevels, "") {
			if !agent.Sandbox.Reaches(level) {
				level = "" // one that it does reach: the number of levels in the query is fixed
			}
			args = append(args, string(level))
		}
		candidates, err := c.candidates(boundSQL, append(args, min(agent.Credits, c.left))...)
		if err != nil {
			return err
		}
		for i := range candidates {
			if err := c.take(&candidates[i].Execution, agent); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *claim) candidates(query string, args ...any) ([]candidate, error) {
	return list(context.Background(), c.tx, scanCandidate, query+c.tx.store.dialect.skipLocked, args...)
}

var poolSQL = "SELECT " + executionColumns + `, spread FROM executions
WHERE status = 'queued' AND bound_agent = '' AND pool = ? AND not_before <= ? ORDER BY priority DESC, id LIMIT ? OFFSET ?`

// pooled claims from the agents' pools, merged by priority and age, until credits or candidates run out.
func (c *claim) pooled() error {
	skip := make(map[string]int) // candidates of a pool that nobody could take
	for range claimPages {
		pools := c.openPools()
		if len(pools) == 0 || c.left <= 0 {
			return nil
		}
		var candidates []candidate
		more := false
		for _, pool := range pools {
			page := min(claimPage, c.credits()+1)
			some, err := c.candidates(poolSQL, pool, micros(c.tx.now), page, skip[pool])
			if err != nil {
				return err
			}
			more = more || len(some) == page
			candidates = append(candidates, some...)
		}
		slices.SortStableFunc(candidates, func(a, b candidate) int {
			return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.ID, b.ID))
		})
		for i := range candidates {
			took, err := c.place(&candidates[i])
			if err != nil {
				return err
			}
			if !took {
				skip[candidates[i].Pool]++
			}
		}
		if !more {
			return nil
		}
	}
	return nil
}

// credits is what all agents together can take.
func (c *claim) credits() (n int) {
	for _, agent := range c.agents {
		n += agent.Credits
	}
	return min(n, c.left)
}

// openPools lists the pools of the agents that still have credit.
func (c *claim) openPools() []string {
	var pools []string
	for _, agent := range c.agents {
		if agent.Credits > 0 {
			pools = append(pools, agent.Pools...)
		}
	}
	slices.Sort(pools)
	return slices.Compact(pools)
}

// place offers x to the agent with the most credit that may run it.
func (c *claim) place(x *candidate) (bool, error) {
	if c.left <= 0 {
		return false, nil
	}
	taken, err := c.taken(x)
	if err != nil {
		return false, err
	}
	var best *ClaimAgent
	for _, agent := range c.agents {
		if agent.Credits > 0 && (best == nil || agent.Credits > best.Credits) && slices.Contains(agent.Pools, x.Pool) &&
			!slices.Contains(x.Excluded, agent.ID) && !slices.Contains(taken, agent.ID) {
			best = agent
		}
	}
	if best == nil {
		return false, nil
	}
	before := len(c.claimed)
	err = c.take(&x.Execution, best)
	return len(c.claimed) > before, err
}

// takenSQL finds the agents that already have, or had, an execution of the run. An agent that was only offered
// one, or refused it, may still take another.
const takenSQL = `SELECT agent_id FROM executions WHERE run_id = ? AND id <> ? AND spread AND agent_id <> ''
AND status IN ('offered', 'running', 'succeeded', 'failed', 'timed_out', 'lost')`

func (c *claim) taken(x *candidate) ([]string, error) {
	if !x.spread {
		return nil, nil
	}
	return list(context.Background(), c.tx, one[string], takenSQL, x.RunID, x.ID)
}

// take offers x to the agent and writes it.
func (c *claim) take(x *octopus.Execution, agent *ClaimAgent) error {
	if c.left <= 0 || agent.Credits <= 0 {
		return nil
	}
	change, err := c.offer(*x, *agent, c.tx.now)
	if errors.Is(err, ErrNoChange) {
		return nil
	}
	if err != nil {
		return err
	}
	next, err := c.tx.apply(x, &change)
	if errors.Is(err, errRaced) {
		return nil // another server was faster
	}
	if octopus.CodeOf(err) == octopus.CodeConflict {
		return errAgain // another server gave the agent a sibling meanwhile: the next look sees it
	}
	if err != nil {
		return err
	}
	agent.Credits--
	c.left--
	c.claimed = append(c.claimed, next)
	return nil
}
