package storetest

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// model is what the store should hold, as simply as it can be said.
type model struct {
	store *store.Store
	t     *testing.T
	pool  string // of this model only: the store is shared
	order []string
	rows  map[string]*octopus.Execution
	runs  map[string][]string
}

// fewerChecks makes the suite quick. Run with -rapid.checks=1000 to look harder.
var fewerChecks = sync.OnceFunc(func() {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		flag.Set("rapid.checks", "15")
	}
})

// testModel runs random operations on the store and on the model, and compares them after each.
func testModel(t *testing.T, s *store.Store) {
	fewerChecks()
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		m := &model{store: s, t: t, pool: fmt.Sprintf("pool=%d", n), rows: map[string]*octopus.Execution{}, runs: map[string][]string{}}
		r.Repeat(map[string]func(*rapid.T){
			"create":   m.create,
			"offer":    m.offer,
			"accept":   m.step(Accept),
			"withdraw": m.step(Withdraw),
			"succeed":  m.step(End(octopus.Succeeded)),
			"fail":     m.step(End(octopus.Failed)),
			"cancel":   m.step(End(octopus.Cancelled)),
			"expire":   m.step(End(octopus.Expired)),
			"lose":     m.step(End(octopus.Lost)),
			"claim":    m.claim,
			"":         m.compare,
		})
	})
}

// agents of a model have its pool in their names, so that models do not meet.
func (m *model) agent(i int) string { return fmt.Sprintf("agt_%s_%d", m.pool, i) }

func (m *model) create(r *rapid.T) {
	n := rapid.IntRange(1, 3).Draw(r, "executions")
	offered := rapid.Bool().Draw(r, "first is offered")
	priority := rapid.IntRange(0, 2).Draw(r, "priority")
	made := NewRun(m.store, n, func(i int, x *octopus.Execution) {
		x.Pool, x.Priority = m.pool, priority
		if offered && i == 0 {
			Offered(x, m.agent(0))
		}
	})
	if _, _, err := m.store.CreateRun(m.t.Context(), made); err != nil {
		r.Fatal(err)
	}
	for i := range made.Executions {
		x := &made.Executions[i]
		m.rows[x.ID] = x
		m.order = append(m.order, x.ID)
		m.runs[x.RunID] = append(m.runs[x.RunID], x.ID)
	}
}

func (m *model) pick(r *rapid.T) *octopus.Execution {
	if len(m.order) == 0 {
		r.Skip("nothing yet")
	}
	return m.rows[rapid.SampledFrom(m.order).Draw(r, "execution")]
}

// blocked is the rule of any(n): no two live executions of a run on one agent.
func (m *model) blocked(x *octopus.Execution, agentID string, states ...octopus.Status) bool {
	for _, id := range m.runs[x.RunID] {
		other := m.rows[id]
		if id != x.ID && other.AgentID == agentID && slices.Contains(states, other.Status) {
			return true
		}
	}
	return false
}

func (m *model) offer(r *rapid.T) {
	x := m.pick(r)
	agentID := m.agent(rapid.IntRange(0, 2).Draw(r, "agent"))
	got, err := m.store.Step(m.t.Context(), x.ID, Offer(agentID))
	if x.Status == octopus.Queued && m.blocked(x, agentID, octopus.Offered, octopus.Running) {
		if octopus.CodeOf(err) != octopus.CodeConflict {
			r.Fatalf("a second execution of the run was offered to %s: %v", agentID, err)
		}
		return
	}
	m.apply(r, x, Offer(agentID), got, err)
}

func (m *model) step(f store.StepFunc) func(*rapid.T) {
	return func(r *rapid.T) {
		x := m.pick(r)
		got, err := m.store.Step(m.t.Context(), x.ID, f)
		m.apply(r, x, f, got, err)
	}
}

// apply does to the model what was done to the store.
func (m *model) apply(r *rapid.T, x *octopus.Execution, f store.StepFunc, got octopus.Execution, err error) {
	if err != nil {
		r.Fatal(err)
	}
	if change, err := f(*x, time.Now()); err == nil {
		*x = change.Next
	}
	same(r, got, x)
}

func same(r *rapid.T, got octopus.Execution, want *octopus.Execution) {
	a := fmt.Sprintln(got.ID, got.RunID, got.Status, got.Fence, got.Attempt, got.AgentID, got.FinishedAt.IsZero())
	b := fmt.Sprintln(want.ID, want.RunID, want.Status, want.Fence, want.Attempt, want.AgentID, want.FinishedAt.IsZero())
	if a != b {
		r.Fatalf("the store has %sthe model %s", a, b)
	}
}

func (m *model) claim(r *rapid.T) {
	var agents []store.ClaimAgent
	credits := map[string]int{}
	for i := range 3 {
		a := agent(m.agent(i), rapid.IntRange(0, 2).Draw(r, "credits"), m.pool)
		agents = append(agents, a)
		credits[a.ID] = a.Credits
	}
	claimed, err := m.store.Claim(m.t.Context(), store.ClaimQuery{Agents: agents}, OfferClaimed)
	if err != nil {
		r.Fatal(err)
	}
	for _, got := range claimed {
		x := m.rows[got.ID]
		if x == nil || x.Status != octopus.Queued {
			r.Fatalf("claimed %s, which is not queued", got.ID)
		}
		if m.blocked(x, got.AgentID, octopus.Offered, octopus.Running, octopus.Succeeded, octopus.Failed, octopus.Lost) {
			r.Fatalf("claimed a second execution of the run for %s", got.AgentID)
		}
		if credits[got.AgentID]--; credits[got.AgentID] < 0 {
			r.Fatalf("%s got more than its credits", got.AgentID)
		}
		m.apply(r, x, Offer(got.AgentID), got, nil)
	}
	for _, id := range m.order { // nothing that could run is left while its agent has credit
		x := m.rows[id]
		for a, left := range credits {
			if x.Status == octopus.Queued && left > 0 &&
				!m.blocked(x, a, octopus.Offered, octopus.Running, octopus.Succeeded, octopus.Failed, octopus.Lost) {
				r.Fatalf("%s was left though %s has credit", id, a)
			}
		}
	}
}

// compare reads everything back.
func (m *model) compare(r *rapid.T) {
	for id, executions := range m.runs {
		run, err := m.store.Run(m.t.Context(), id)
		if err != nil {
			r.Fatal(err)
		}
		counts := octopus.Counts{}
		for _, x := range executions {
			counts[m.rows[x].Status]++
		}
		if !maps.Equal(run.Counts, counts) {
			r.Fatalf("run %s counts %v, want %v", id, run.Counts, counts)
		}
		if run.Status().Terminal() == run.FinishedAt.IsZero() {
			r.Fatalf("run %s is %s and finished at %v", id, run.Status(), run.FinishedAt)
		}
		listed, _, err := m.store.RunExecutions(m.t.Context(), id, store.Page{})
		if err != nil || len(listed) != len(executions) {
			r.Fatalf("run %s lists %d executions: %v", id, len(listed), err)
		}
		for _, x := range listed {
			same(r, x, m.rows[x.ID])
		}
	}
	for i := range 3 {
		held, err := m.store.Held(m.t.Context(), m.agent(i))
		if err != nil {
			r.Fatal(err)
		}
		n := 0
		for _, x := range m.rows {
			if x.AgentID == m.agent(i) && (x.Status == octopus.Offered || x.Status == octopus.Running) {
				n++
			}
		}
		if len(held) != n {
			r.Fatalf("%s holds %d, want %d", m.agent(i), len(held), n)
		}
	}
}
