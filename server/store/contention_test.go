package store_test

import (
	"fmt"
	"sync"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// twoServers opens one database twice.
func twoServers(t *testing.T, url string) []*store.Store {
	return []*store.Store{storetest.OpenURL(t, url), storetest.OpenURL(t, url)}
}

func databases() map[string]func(testing.TB) string {
	return map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": storetest.Postgres}
}

// TestClaimContention: two servers claim one pool at once; nothing is claimed twice and nothing is left.
func TestClaimContention(t *testing.T) {
	t.Parallel()
	for name, url := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := twoServers(t, url(t))
			const n = 300
			for range n {
				if _, _, err := servers[0].CreateRun(t.Context(), storetest.NewRun(servers[0], 1, nil)); err != nil {
					t.Fatal(err)
				}
			}
			var mu sync.Mutex
			taken := map[string]string{}
			var wg sync.WaitGroup
			for i, s := range servers {
				for j := range 2 {
					wg.Go(func() {
						agent := store.ClaimAgent{ID: fmt.Sprintf("agt_%d_%d", i, j), Credits: 7, Pools: []string{""}}
						for {
							claimed, err := s.Claim(t.Context(), store.ClaimQuery{Agents: []store.ClaimAgent{agent}}, storetest.OfferClaimed)
							if err != nil {
								t.Error(err)
								return
							}
							mu.Lock()
							for _, x := range claimed {
								if by, twice := taken[x.ID]; twice {
									t.Errorf("%s was claimed for %s and for %s", x.ID, by, x.AgentID)
								}
								taken[x.ID] = x.AgentID
							}
							done := len(taken) == n
							mu.Unlock()
							if done {
								return
							}
						}
					})
				}
			}
			wg.Wait()
		})
	}
}

// TestStepContention: two servers accept and cancel the same executions at once; each ends in one state, and all
// counters agree with it.
func TestStepContention(t *testing.T) {
	t.Parallel()
	for name, url := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := twoServers(t, url(t))
			made := storetest.NewRun(servers[0], 60, func(i int, x *octopus.Execution) { storetest.Offered(x, fmt.Sprint("agt_", i)) })
			if _, _, err := servers[0].CreateRun(t.Context(), made); err != nil {
				t.Fatal(err)
			}
			steps := [][]store.StepFunc{
				{storetest.Accept, storetest.End(octopus.Succeeded)},
				{storetest.End(octopus.Cancelled), storetest.Withdraw, storetest.End(octopus.Expired)},
			}
			var wg sync.WaitGroup
			for i := range made.Executions {
				for j, s := range servers {
					wg.Go(func() {
						for _, step := range steps[j] {
							if _, err := s.Step(t.Context(), made.Executions[i].ID, step); err != nil {
								t.Error(err)
							}
						}
					})
				}
			}
			wg.Wait()
			agree(t, servers[1], made)
		})
	}
}

// agree compares a run's counters and the roll-ups with its executions.
func agree(t *testing.T, s *store.Store, made store.NewRun) {
	t.Helper()
	counts := octopus.Counts{}
	for i := range made.Executions {
		x, err := s.Execution(t.Context(), made.Executions[i].ID)
		if err != nil {
			t.Fatal(err)
		}
		if !x.Status.Terminal() {
			t.Errorf("%s is %s", x.ID, x.Status)
		}
		counts[x.Status]++
	}
	run, err := s.Run(t.Context(), made.Run.ID)
	if err != nil {
		t.Fatal(err)
	}
	o, err := s.Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(run.Counts) != fmt.Sprint(counts) || fmt.Sprint(o.ByStatus24h) != fmt.Sprint(counts) || o.Queued != 0 || o.Running != 0 {
		t.Fatalf("executions %v, run %v, roll-up %v, queued %d, running %d", counts, run.Counts, o.ByStatus24h, o.Queued, o.Running)
	}
}

// TestExpandContention: two servers work off one plan.
func TestExpandContention(t *testing.T) {
	t.Parallel()
	for name, url := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := twoServers(t, url(t))
			made := storetest.NewRun(servers[0], 1400, nil)
			if _, _, err := servers[0].CreateRun(t.Context(), made); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for _, s := range servers {
				wg.Go(func() {
					for {
						left, err := s.ExpandRun(t.Context(), made.Run.ID)
						if err != nil {
							t.Error(err)
							return
						}
						if left == 0 {
							return
						}
					}
				})
			}
			wg.Wait()
			run, err := servers[0].Run(t.Context(), made.Run.ID)
			if err != nil || run.Counts[octopus.Queued] != 1400 {
				t.Fatalf("%v queued: %v", run.Counts, err)
			}
		})
	}
}
