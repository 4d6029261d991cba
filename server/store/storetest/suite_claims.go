package storetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

func claim(t *testing.T, s *store.Store, limit int, agents ...store.ClaimAgent) []octopus.Execution {
	t.Helper()
	claimed, err := s.Claim(t.Context(), store.ClaimQuery{Agents: agents, Limit: limit}, OfferClaimed)
	check(t, err)
	return claimed
}

func agent(id string, credits int, pools ...string) store.ClaimAgent {
	return store.ClaimAgent{ID: id, Name: AgentName(id), Credits: credits, Pools: pools}
}

func one(t *testing.T, s *store.Store, edit func(x *octopus.Execution)) string {
	t.Helper()
	_, ids := create(t, s, 1, func(_ int, x *octopus.Execution) { edit(x) })
	return ids[0]
}

func testClaimOrder(t *testing.T, s *store.Store) {
	low := one(t, s, func(x *octopus.Execution) { x.Pool = "p" })
	high := one(t, s, func(x *octopus.Execution) { x.Pool, x.Priority = "q", 9 })
	bound := one(t, s, func(x *octopus.Execution) { x.BoundAgent, x.Mode = "agt_1", octopus.TargetAgent })
	middle := one(t, s, func(x *octopus.Execution) { x.Pool, x.Priority = "p", 5 })
	claimed := claim(t, s, 0, agent("agt_1", 3, "p", "q"))
	var ids []string
	for _, x := range claimed {
		ids = append(ids, x.ID)
		equal(t, "status", x.Status, octopus.Offered)
		equal(t, "agent", x.AgentID, "agt_1")
		equal(t, "params", string(x.Params), `{"n":1}`)
	}
	if !slices.Equal(ids, []string{bound, high, middle}) {
		t.Fatalf("claimed %v, want %v; left is %s", ids, []string{bound, high, middle}, low)
	}
	equal(t, "left", len(claim(t, s, 0, agent("agt_1", 3, "p", "q"))), 1)
	equal(t, "nothing left", len(claim(t, s, 0, agent("agt_1", 3, "p", "q"))), 0)
}

func testClaimRules(t *testing.T, s *store.Store) {
	one(t, s, func(x *octopus.Execution) { x.Pool, x.NotBefore = "p", s.Now().Add(time.Hour) })
	one(t, s, func(x *octopus.Execution) { x.BoundAgent = "agt_other" })
	one(t, s, func(x *octopus.Execution) { x.Pool = "other" })
	equal(t, "claimed", len(claim(t, s, 0, agent("agt_1", 5, "p"))), 0)
	excluded := one(t, s, func(x *octopus.Execution) { x.Pool, x.Excluded = "p", []string{"agt_1"} })
	equal(t, "claimed by the excluded one", len(claim(t, s, 0, agent("agt_1", 5, "p"))), 0)
	claimed := claim(t, s, 0, agent("agt_1", 5, "p"), agent("agt_2", 1, "p"))
	if len(claimed) != 1 || claimed[0].ID != excluded || claimed[0].AgentID != "agt_2" {
		t.Fatalf("claimed %+v", claimed)
	}
	for range 6 {
		one(t, s, func(x *octopus.Execution) { x.Pool = "p" })
	}
	equal(t, "limited", len(claim(t, s, 2, agent("agt_1", 5, "p"))), 2)
	by := map[string]int{}
	for _, x := range claim(t, s, 0, agent("agt_1", 1, "p"), agent("agt_2", 2, "p"), agent("agt_3", 0, "p")) {
		by[x.AgentID]++
	}
	equal(t, "by credits", fmt.Sprint(by), "map[agt_1:1 agt_2:2]")
	refused, err := s.Claim(t.Context(), store.ClaimQuery{Agents: []store.ClaimAgent{agent("agt_1", 5, "p")}},
		func(octopus.Execution, store.ClaimAgent, time.Time) (store.Change, error) {
			return store.Change{}, store.ErrNoChange
		})
	check(t, err)
	equal(t, "refused by the caller", len(refused), 0)
	pools, agents, err := s.QueuedPools(t.Context())
	check(t, err)
	equal(t, "pools", fmt.Sprint(pools, agents), "[other p] [agt_other]")
}

// testClaimSandbox: what asks for more than its agent reaches stays, and hides nothing that is behind it.
func testClaimSandbox(t *testing.T, s *store.Store) {
	bound := func(asked octopus.SandboxLevel) string {
		return one(t, s, func(x *octopus.Execution) { x.BoundAgent, x.Mode, x.Sandbox = "agt_1", octopus.TargetAgent, asked })
	}
	full := bound(octopus.SandboxFull)
	for range 3 {
		bound("odd")
	}
	filtered, basic, any := bound(octopus.SandboxFiltered), bound(octopus.SandboxBasic), bound("")
	a := agent("agt_1", 3)
	for _, c := range []struct {
		has  octopus.SandboxLevel
		want []string
	}{{"", []string{any}}, {"odd", nil}, {octopus.SandboxProcess, []string{basic}}, {octopus.SandboxFull, []string{full, filtered}}} {
		a.Sandbox = c.has
		var ids []string
		for _, x := range claim(t, s, 0, a) {
			ids = append(ids, x.ID)
		}
		if !slices.Equal(ids, c.want) {
			t.Fatalf("with the sandbox %q it claimed %v, want %v", c.has, ids, c.want)
		}
	}
}

func testClaimSpread(t *testing.T, s *store.Store) {
	_, ids := create(t, s, 3, func(_ int, x *octopus.Execution) { x.Pool = "p" })
	first := claim(t, s, 0, agent("agt_1", 5, "p"))
	equal(t, "one agent takes", len(first), 1)
	step(t, s, first[0].ID, Accept, End(octopus.Succeeded))
	equal(t, "and none after it ran", len(claim(t, s, 0, agent("agt_1", 5, "p"))), 0)
	rest := claim(t, s, 0, agent("agt_1", 5, "p"), agent("agt_2", 5, "p"), agent("agt_3", 5, "p"))
	equal(t, "two others take", len(rest), 2)
	if rest[0].AgentID == rest[1].AgentID || len(ids) != 3 {
		t.Fatalf("both went to %s", rest[0].AgentID)
	}
	// Whatever an execution ended as, the end itself is never refused.
	step(t, s, rest[0].ID, Withdraw, End(octopus.TimedOut))
}

// testClaimBehind: what nobody may run does not hide what somebody may.
func testClaimBehind(t *testing.T, s *store.Store) {
	for range 130 {
		one(t, s, func(x *octopus.Execution) { x.Pool, x.Excluded = "p", []string{"agt_1"} })
	}
	want := one(t, s, func(x *octopus.Execution) { x.Pool = "p" })
	claimed := claim(t, s, 0, agent("agt_1", 200, "p"))
	if len(claimed) != 1 || claimed[0].ID != want {
		t.Fatalf("claimed %d", len(claimed))
	}
}

func testDue(t *testing.T, s *store.Store) {
	now := s.Now()
	past, future := now.Add(-time.Second), now.Add(time.Hour)
	waited := one(t, s, func(x *octopus.Execution) { x.WaitUntil = past })
	offer := one(t, s, func(x *octopus.Execution) { Offered(x, "agt_1"); x.OfferExpiresAt = past.Add(-time.Second) })
	deadline := one(t, s, func(x *octopus.Execution) { x.DeadlineAt, x.WaitUntil = past.Add(-2*time.Second), future })
	later := one(t, s, func(x *octopus.Execution) { x.NotBefore = past })
	one(t, s, func(x *octopus.Execution) { x.NotBefore = future })
	one(t, s, func(x *octopus.Execution) { x.NotBefore = now.Add(-time.Minute) })
	one(t, s, func(x *octopus.Execution) { Offered(x, "agt_2"); x.WaitUntil = past }) // an offer is not waiting
	due, err := s.Due(t.Context(), now, 100)
	check(t, err)
	if !slices.Equal(due, []string{deadline, offer, waited, later}) {
		t.Fatalf("due %v, want %v", due, []string{deadline, offer, waited, later})
	}
	due, err = s.Due(t.Context(), now, 2)
	check(t, err)
	equal(t, "limited", len(due), 2)
	step(t, s, deadline, End(octopus.TimedOut))
	step(t, s, waited, End(octopus.Expired))
	step(t, s, offer, Withdraw)
	due, err = s.Due(t.Context(), now, 100)
	check(t, err)
	equal(t, "handled", fmt.Sprint(due), fmt.Sprint([]string{later}))
}

func testHeld(t *testing.T, s *store.Store) {
	offered := one(t, s, func(x *octopus.Execution) { Offered(x, "agt_1") })
	running := one(t, s, func(x *octopus.Execution) { Offered(x, "agt_1") })
	step(t, s, running, Accept)
	ended := one(t, s, func(x *octopus.Execution) { Offered(x, "agt_1") })
	step(t, s, ended, Accept, End(octopus.Succeeded))
	back := one(t, s, func(x *octopus.Execution) { Offered(x, "agt_1") })
	step(t, s, back, Withdraw)
	held, err := s.Held(t.Context(), "agt_1")
	check(t, err)
	if len(held) != 2 || held[0].ID != offered || held[1].ID != running {
		t.Fatalf("held %+v", held)
	}
	cancels, err := s.UndeliveredCancels(t.Context(), []string{"agt_1", "agt_2"})
	check(t, err)
	equal(t, "cancels", len(cancels), 0)
	step(t, s, running, func(x octopus.Execution, now time.Time) (store.Change, error) {
		x.Cancelling, x.CancelledAt, x.CancelledBy = true, now, "ada"
		return store.Change{Next: x}, nil
	})
	cancels, err = s.UndeliveredCancels(t.Context(), []string{"agt_1", "agt_2"})
	check(t, err)
	if len(cancels) != 1 || cancels[0].ID != running || cancels[0].CancelledBy != "ada" {
		t.Fatalf("cancels %+v", cancels)
	}
	cancels, err = s.UndeliveredCancels(t.Context(), nil)
	check(t, err)
	equal(t, "cancels of nobody", len(cancels), 0)
}

func testProgress(t *testing.T, s *store.Store) {
	id := one(t, s, func(x *octopus.Execution) { Offered(x, "agt_1") })
	step(t, s, id, Accept)
	check(t, s.SaveProgress(t.Context(), id, 1, octopus.Progress{Fraction: 0.5, Message: "half"}))
	check(t, s.SaveProgress(t.Context(), id, 9, octopus.Progress{Fraction: 0.9}))
	x, err := s.Execution(t.Context(), id)
	check(t, err)
	if x.Progress == nil || *x.Progress != (octopus.Progress{Fraction: 0.5, Message: "half"}) {
		t.Fatalf("progress %+v", x.Progress)
	}
	step(t, s, id, End(octopus.Succeeded))
	check(t, s.SaveProgress(t.Context(), id, 1, octopus.Progress{Fraction: 0.7}))
	x, err = s.Execution(t.Context(), id)
	check(t, err)
	equal(t, "progress after the end", x.Progress.Fraction, 0.5)
}
