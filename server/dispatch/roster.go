package dispatch

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// known is what the roster keeps of an agent, connected or not.
type known struct {
	id, name  string
	labels    map[string]string
	sandbox   octopus.SandboxLevel
	enabled   bool
	drained   bool
	connected bool  // to whatever server, as of the last reading
	epoch     int64 // of its latest session then
}

// roster is every agent there is. It is read when somebody must wait or a target names all, never on the path of a
// run that finds room at once.
type roster struct {
	mu     sync.Mutex
	agents map[string]known
	dirty  map[string]bool // agents to read again
	stale  bool            // read all again
}

func (r *roster) init() {
	r.agents, r.dirty, r.stale = make(map[string]known), make(map[string]bool), true
}

// maxDirty is how many agents are read one by one; beyond, all are listed.
const maxDirty = 100

// changed notes that an agent is not as it was; "" means that nobody knows which.
func (r *roster) changed(agentID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if agentID == "" || len(r.dirty) >= maxDirty {
		r.stale = true
		clear(r.dirty)
		return
	}
	if !r.stale {
		r.dirty[agentID] = true
	}
}

// refresh reads what changed.
func (r *roster) refresh(ctx context.Context, d *Dispatcher) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stale {
		agents, err := readAll(ctx, d.store)
		if err != nil {
			return fmt.Errorf("agents: %w", err)
		}
		r.agents, r.stale = agents, false
		clear(r.dirty)
		return nil
	}
	for id := range r.dirty {
		a, err := d.store.Agent(ctx, id)
		switch {
		case octopus.CodeOf(err) == octopus.CodeNotFound:
			delete(r.agents, id)
		case err != nil:
			return fmt.Errorf("agent: %w", err)
		default:
			r.agents[id] = knownOf(a)
		}
		delete(r.dirty, id)
	}
	return nil
}

func readAll(ctx context.Context, s Store) (map[string]known, error) {
	agents := make(map[string]known)
	page := store.Page{Limit: store.MaxLimit}
	for {
		list, next, err := s.Agents(ctx, store.AgentFilter{}, page)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			agents[a.ID] = knownOf(a)
		}
		if page.Cursor = next; next == "" {
			return agents, nil
		}
	}
}

func knownOf(a octopus.Agent) known {
	return known{
		id: a.ID, name: a.Name, labels: a.MatchLabels(), sandbox: octopus.SandboxLevel(a.Facts.Sandbox.Level),
		enabled: a.Enabled && !a.Revoked, drained: a.Drained, connected: a.Connected, epoch: a.SessionEpoch,
	}
}

// all lists the agents that match, freshly read, in the order of their ids.
func (r *roster) all(ctx context.Context, d *Dispatcher, selector octopus.Selector) ([]known, error) {
	if err := r.refresh(ctx, d); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []known
	for _, a := range r.agents {
		if selector.Match(a.labels) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b known) int { return strings.Compare(a.id, b.id) })
	return list, nil
}

// matching is all for a canonical selector; what cannot be read is as it was.
func (r *roster) matching(ctx context.Context, d *Dispatcher, pool string) []known {
	selector, err := octopus.ParseSelector(pool)
	if err != nil {
		return nil
	}
	list, err := r.all(ctx, d, selector)
	if err != nil {
		d.cfg.Log.Warn("agents not read", "err", err)
	}
	return list
}

// why says why an execution has to wait, as a code and a sentence.
func (d *Dispatcher) why(x octopus.Execution) (code, message string) {
	if x.BoundAgent != "" {
		return d.whyAgent(x.BoundAgent, x.Sandbox)
	}
	now := d.cfg.Now()
	if r, ok := d.reasons.get(x.Pool, now); ok {
		return r.code, r.message
	}
	code, message = d.whyPool(x.Pool, x.Sandbox)
	d.reasons.put(x.Pool, reason{code, message, now})
	return code, message
}

// reason is why a pool has no room, as of a moment.
type reason struct {
	code, message string
	at            time.Time
}

// reasonsLive is how long a pool's reason is taken as it was: under load hundreds of runs a second ask for it.
const reasonsLive = 500 * time.Millisecond

// reasons remembers why pools have no room.
type reasons struct {
	mu     sync.Mutex
	byPool map[string]reason
}

func (r *reasons) get(pool string, now time.Time) (reason, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	found, ok := r.byPool[pool]
	return found, ok && now.Sub(found.at) < reasonsLive
}

func (r *reasons) put(pool string, why reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byPool == nil || len(r.byPool) >= maxPools {
		r.byPool = make(map[string]reason)
	}
	r.byPool[pool] = why
}

func (d *Dispatcher) whyAgent(id string, asked octopus.SandboxLevel) (code, message string) {
	d.mu.Lock()
	s := d.sessions[id]
	if s != nil {
		defer d.mu.Unlock()
		return whyOne(known{id: id, name: s.name, sandbox: s.sandbox, enabled: s.enabled, drained: s.drained, connected: true}, asked)
	}
	d.mu.Unlock()
	if err := d.roster.refresh(d.base, d); err != nil {
		d.cfg.Log.Warn("agents not read", "err", err)
	}
	d.roster.mu.Lock()
	a, ok := d.roster.agents[id]
	d.roster.mu.Unlock()
	if !ok {
		return "no_agent", "The agent that it is bound to was removed."
	}
	return whyOne(a, asked)
}

func whyOne(a known, asked octopus.SandboxLevel) (code, message string) {
	switch {
	case !a.sandbox.Reaches(asked): // first: it is what waiting does not change
		return "sandbox", tooWeak(a.name+"'s", a.sandbox, asked)
	case !a.enabled:
		return "disabled", a.name + " is disabled."
	case a.drained:
		return "drained", a.name + " is drained: it takes no new work."
	case !a.connected:
		return "offline", a.name + " is offline."
	}
	return "busy", a.name + " is busy."
}

// whyPool is about the pool of a selector and the level of sandbox that it was narrowed to.
func (d *Dispatcher) whyPool(pool string, asked octopus.SandboxLevel) (code, message string) {
	list := d.roster.matching(d.base, d, pool)
	if selector, err := octopus.ParseSelector(pool); err == nil && asked != "" {
		pool = selector.Without(asked).String()
		if len(list) == 0 {
			if all := d.roster.matching(d.base, d, pool); len(all) > 0 {
				return "sandbox", tooWeakAll(pool, all, asked)
			}
		}
	}
	var disabled, drained, busy int
	d.mu.Lock()
	for _, a := range list {
		if s := d.sessions[a.id]; s != nil {
			a.connected, a.enabled, a.drained = true, s.enabled, s.drained
		}
		switch {
		case !a.enabled:
			disabled++
		case a.drained:
			drained++
		case a.connected:
			busy++
		}
	}
	d.mu.Unlock()
	which, whom := " that matches "+pool, " that match "+pool
	if pool == "*" {
		which, whom = "", ""
	}
	if asked != "" {
		which, whom = which+" with "+asSandbox(asked), whom+" with "+asSandbox(asked)
	}
	switch n := len(list); {
	case n == 0:
		return "no_agent", nobody(pool, 0)
	case busy == 1:
		return "busy", "The connected agent" + which + " is busy."
	case busy > 1:
		return "busy", fmt.Sprintf("All %d connected agents%s are busy.", busy, whom)
	case disabled == n:
		return "disabled", "Every agent" + which + " is disabled."
	case disabled+drained == n:
		return "drained", "Every agent" + which + " is drained or disabled."
	}
	return "offline", "No agent" + which + " is connected."
}

// nobody is the sentence for a selector without an agent that may run.
func nobody(pool string, disabled int) string {
	switch {
	case disabled > 0:
		return "Every agent that matches " + pool + " is disabled. Enable one or change the target."
	case pool == "*":
		return "There is no agent yet. Add one with octopus agents tokens create."
	}
	return "No agent matches " + pool + ". Add one or change the target."
}
