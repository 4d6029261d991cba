package dispatch

import (
	"context"
	"slices"

	"octopus/internal/octopus"
)

// maxLeftOut bounds how many agents a run lists as left out.
const maxLeftOut = 1000

// maxTrialOfRun is how many executions of one run count when versions are compared: those of one run tend to end alike,
// and a single run on a thousand agents must not decide.
const maxTrialOfRun = 5

// resolve turns the target into executions, not yet placed.
func (d *Dispatcher) resolve(ctx context.Context, s Submission, p *preparedRun) error {
	if len(s.Agents) > 0 {
		return d.resolveAgents(ctx, s.Agents, p)
	}
	switch s.Target.Mode {
	case octopus.TargetAny, "":
		return d.resolveAny(s.Target, p)
	case octopus.TargetAll:
		return d.resolveAll(ctx, s.Target, p)
	case octopus.TargetAgent:
		return d.resolveAgent(ctx, s.Target, p)
	}
	return octopus.InvalidField("/target/mode", "The target's mode is any, all or agent.")
}

// add appends an execution of the run. agent is whom it is bound to, "" for a pool.
func (p *preparedRun) add(mode octopus.TargetMode, pool, agentID, agentName string) {
	x := p.model
	x.ID = p.newID(octopus.PrefixExecution, x.CreatedAt)
	x.RunID, x.Mode, x.Pool, x.BoundAgent = p.run.ID, mode, pool, agentID
	if agentID != "" {
		x.AgentName = agentName
	}
	x.OnTrial = x.OnTrial && len(p.executions) < maxTrialOfRun
	x.WaitUntil = x.CreatedAt.Add(orElse(p.run.WaitTTL, p.rules.waitTTL(x)))
	p.executions = append(p.executions, x)
	p.run.Total = len(p.executions)
}

// resolveAny puts the executions into the pool of those agents that the selector means and whose sandbox is good enough.
func (d *Dispatcher) resolveAny(t octopus.Target, p *preparedRun) error {
	selector, err := parseTarget(t.Selector)
	if err != nil {
		return err
	}
	pool := selector.Within(p.model.Sandbox).String()
	if _, err := parseTarget(pool); err != nil {
		return octopus.InvalidField("/target/selector", "The selector gets too long when it is written out with the sandbox that is asked for. Shorten it.")
	}
	for range max(t.Count, 1) {
		p.add(octopus.TargetAny, pool, "", "")
	}
	return nil
}

func parseTarget(text string) (octopus.Selector, error) {
	selector, err := octopus.ParseSelector(text)
	if err != nil {
		return selector, octopus.InvalidField("/target/selector", "%s", octopus.Sentence(err))
	}
	return selector, nil
}

func (d *Dispatcher) resolveAll(ctx context.Context, t octopus.Target, p *preparedRun) error {
	selector, err := parseTarget(t.Selector)
	if err != nil {
		return err
	}
	d.roster.changed("") // hints may be on their way: who runs it is decided by what is stored now
	matching, err := d.roster.all(ctx, d, selector)
	if err != nil {
		return err
	}
	disabled := 0
	for _, a := range matching {
		reason := ""
		switch {
		case !a.enabled:
			disabled++
			reason = "It is disabled."
		case !a.sandbox.Reaches(p.model.Sandbox):
			reason = tooWeak("Its", a.sandbox, p.model.Sandbox)
		default:
			p.add(octopus.TargetAll, "", a.id, a.name)
			continue
		}
		if len(p.run.LeftOut) < maxLeftOut {
			p.run.LeftOut = append(p.run.LeftOut, octopus.LeftOut{AgentID: a.id, AgentName: a.name, Reason: reason})
		}
	}
	switch {
	case len(p.executions) > 0:
		return nil
	case disabled == len(matching):
		return octopus.InvalidField("/target", "%s", nobody(selector.String(), disabled))
	}
	return octopus.InvalidField("/sandbox", "%s", tooWeakAll(selector.String(), matching, p.model.Sandbox))
}

func (d *Dispatcher) resolveAgent(ctx context.Context, t octopus.Target, p *preparedRun) error {
	if t.Agent == "" {
		return octopus.InvalidField("/target/agent", "Say which agent: its name or id.")
	}
	d.mu.Lock()
	s := d.names[t.Agent]
	if s == nil {
		s = d.sessions[t.Agent]
	}
	if s != nil {
		id, name := s.agentID, s.name
		d.mu.Unlock()
		p.add(octopus.TargetAgent, "", id, name)
		return nil
	}
	d.mu.Unlock()
	a, err := d.store.Agent(ctx, t.Agent)
	if octopus.CodeOf(err) == octopus.CodeNotFound || err == nil && a.Revoked {
		unknown := octopus.Errorf(octopus.CodeNotFound, "There is no agent called %s. See octopus agents list.", clip(t.Agent, 80))
		unknown.Fields = []octopus.FieldError{{Field: "/target/agent", Message: unknown.Message}}
		return unknown
	}
	if err != nil {
		return err
	}
	p.add(octopus.TargetAgent, "", a.ID, a.Name)
	return nil
}

func (d *Dispatcher) resolveAgents(ctx context.Context, ids []string, p *preparedRun) error {
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		if err := d.resolveAgent(ctx, octopus.Target{Agent: id}, p); err != nil {
			return err
		}
	}
	return nil
}

// place offers what it can to agents with room, reserving a credit for each, and says of the others why they wait.
func (p *preparedRun) place(d *Dispatcher) {
	now, stamp := d.cfg.Now(), p.model.CreatedAt
	taken := make(map[string]bool)
	var waiting []int
	d.mu.Lock()
	for i := range p.executions {
		x := &p.executions[i]
		var s *Session
		if x.BoundAgent != "" {
			if s = d.sessions[x.BoundAgent]; s != nil && (s.credits(now) == 0 || !s.sandbox.Reaches(x.Sandbox)) {
				s = nil
			}
		} else if pool := d.poolOf(x.Pool); pool != nil {
			s = pool.pick(now, taken, d.intN)
		}
		if s == nil || i >= expandAt {
			waiting = append(waiting, i)
			continue
		}
		s.reserved++
		taken[s.agentID] = true
		*x = d.rules.offered(*x, stamp, s.agentID, s.name)
		p.offered = append(p.offered, *x)
	}
	d.mu.Unlock()
	for _, i := range waiting {
		x := &p.executions[i]
		code, message := d.why(*x)
		x.AgentName = ""
		x.Waiting = &octopus.Waiting{Code: code, Message: message, Since: stamp}
	}
}

// release gives back the credits that were reserved for offers that came to nothing.
func (d *Dispatcher) release(list []octopus.Execution) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range list {
		if s := d.sessions[x.AgentID]; s != nil {
			s.reserved = max(s.reserved-1, 0)
		}
	}
}
