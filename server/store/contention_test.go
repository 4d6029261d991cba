package store_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

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

// TestACancelIsNotOverwritten: another server writes a cancel between the read and the write of a step, which then sees
// it: neither status nor fence told it so.
func TestACancelIsNotOverwritten(t *testing.T) {
	t.Parallel()
	servers := twoServers(t, storetest.Postgres(t))
	made := storetest.NewRun(servers[0], 1, func(_ int, x *octopus.Execution) { storetest.Offered(x, "agt_1") })
	if _, _, err := servers[0].CreateRun(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	id := made.Executions[0].ID
	if _, err := servers[0].Step(t.Context(), id, storetest.Accept); err != nil {
		t.Fatal(err)
	}
	cancel := func(x octopus.Execution, now time.Time) (store.Change, error) {
		x.Cancelling, x.CancelledBy, x.CancelledAt = true, "ada", now
		return store.Change{Next: x}, nil
	}
	again := func(x octopus.Execution, now time.Time) (store.Change, error) { // as a failure that may be tried again
		if x.Cancelling {
			return store.Change{}, store.ErrNoChange
		}
		if _, err := servers[0].Step(t.Context(), id, cancel); err != nil {
			return store.Change{}, err
		}
		x.Status, x.Fence, x.QueuedAt = octopus.Queued, x.Fence+1, now
		return store.Change{Next: x}, nil
	}
	x, err := servers[1].Step(t.Context(), id, again)
	if err != nil || x.Status != octopus.Running || x.CancelledBy != "ada" {
		t.Fatalf("%v: it is %s, cancelled by %q", err, x.Status, x.CancelledBy)
	}
	if x, err = servers[0].Execution(t.Context(), id); err != nil || x.Status != octopus.Running || !x.Cancelling {
		t.Errorf("%v: it is stored as %s, cancelling: %t", err, x.Status, x.Cancelling)
	}
}

// TestStepsInAnyOrder: servers that step the same executions at once, each in an order of its own, as they do when they
// write why work waits, get in each other's way and still write everything.
func TestStepsInAnyOrder(t *testing.T) {
	t.Parallel()
	url := storetest.Postgres(t)
	servers := append(twoServers(t, url), storetest.OpenURL(t, url))
	made := storetest.NewRun(servers[0], 40, nil)
	if _, _, err := servers[0].CreateRun(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, s := range servers {
		for round := range 4 {
			for _, i := range rand.Perm(len(made.Executions)) {
				wg.Go(func() {
					_, err := s.Step(t.Context(), made.Executions[i].ID, func(x octopus.Execution, now time.Time) (store.Change, error) {
						x.Waiting = &octopus.Waiting{Code: "busy", Message: fmt.Sprint(round), Since: now}
						return store.Change{Next: x}, nil
					})
					if err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
	wg.Wait()
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

// TestLastAdminContention: two servers take the last two administrators away at once; one of them stays.
func TestLastAdminContention(t *testing.T) {
	t.Parallel()
	for name, url := range databases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := twoServers(t, url(t))
			stays := newAdmin(t, servers[0])
			for round := range 20 {
				pair := [2]string{stays, newAdmin(t, servers[0])}
				var refused [2]error
				var wg sync.WaitGroup
				for i, s := range servers {
					wg.Go(func() {
						if round%2 == 0 {
							refused[i] = s.DeleteUser(t.Context(), pair[i])
							return
						}
						_, refused[i] = s.UpdateUser(t.Context(), pair[i], func(u *octopus.User) error { u.Active = false; return nil })
					})
				}
				wg.Wait()
				if (refused[0] == nil) == (refused[1] == nil) {
					t.Fatalf("round %d: %v and %v", round, refused[0], refused[1])
				}
				if stays = pair[0]; refused[0] == nil {
					stays = pair[1]
				}
			}
		})
	}
}

func newAdmin(t *testing.T, s *store.Store) string {
	id := octopus.NewID(octopus.PrefixUser, s.Now())
	if _, err := s.CreateUser(t.Context(), octopus.User{ID: id, Username: id, Role: octopus.RoleAdmin, Active: true, PasswordHash: "x"}); err != nil {
		t.Fatal(err)
	}
	return id
}
