package store_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

// benchmarkStores opens both databases as they run in earnest: every commit synced.
func benchmarkStores(b *testing.B, run func(b *testing.B, s *store.Store)) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": storetest.SQLite, "postgres": syncedPostgres} {
		b.Run(name, func(b *testing.B) {
			hints := bus.NewLocal()
			defer hints.Close()
			s, err := store.Open(b.Context(), store.Options{URL: url(b), Bus: hints})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			run(b, s)
		})
	}
}

// syncedPostgres turns the test server's fsync on.
func syncedPostgres(t testing.TB) string {
	url := storetest.Postgres(t)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, query := range []string{"ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()"} {
		if _, err := db.Exec(query); err != nil {
			t.Fatal(err)
		}
	}
	return url
}

// inFlight runs work for 0 … b.N-1 with several at a time, and reports latency, rate and processor time.
func inFlight(b *testing.B, flight, transitions int, work func(i int) error) {
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	cpu := cpuTime()
	for range flight {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < b.N; i = int(next.Add(1)) - 1 {
				began := time.Now()
				if err := work(i); err != nil {
					b.Error(err)
					return
				}
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	cpu = cpuTime() - cpu
	b.StopTimer()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	b.ReportMetric(float64(b.N*transitions)/b.Elapsed().Seconds(), "transitions/s")
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(0, "ns/op")
}

func offeredRun(s *store.Store, i int) store.NewRun {
	return storetest.NewRun(s, 1, func(_ int, x *octopus.Execution) { storetest.Offered(x, fmt.Sprint("agt_", i%50)) })
}

// BenchmarkExecution stores whole executions: created offered, accepted, ended; each answered after its commit.
func BenchmarkExecution(b *testing.B) {
	benchmarkStores(b, func(b *testing.B, s *store.Store) {
		for _, flight := range []int{1, 16, 64} {
			b.Run(fmt.Sprint(flight), func(b *testing.B) {
				inFlight(b, flight, 3, func(i int) error {
					n := offeredRun(s, i)
					if _, _, err := s.CreateRun(b.Context(), n); err != nil {
						return err
					}
					if _, err := s.Step(b.Context(), n.Executions[0].ID, storetest.Accept); err != nil {
						return err
					}
					_, err := s.Step(b.Context(), n.Executions[0].ID, storetest.End(octopus.Succeeded))
					return err
				})
			})
		}
	})
}

// BenchmarkTransition steps executions that exist, 256 at a time: execution, attempt, event, counters, roll-up.
func BenchmarkTransition(b *testing.B) {
	benchmarkStores(b, func(b *testing.B, s *store.Store) {
		var ids []string
		for len(ids) < b.N {
			n := storetest.NewRun(s, 500, func(i int, x *octopus.Execution) {
				x.Mode = octopus.TargetAll
				storetest.Offered(x, fmt.Sprint("agt_", i))
			})
			n.Run.Target = octopus.Target{Mode: octopus.TargetAll}
			if _, _, err := s.CreateRun(b.Context(), n); err != nil {
				b.Fatal(err)
			}
			for i := range n.Executions {
				ids = append(ids, n.Executions[i].ID)
			}
		}
		inFlight(b, 256, 2, func(i int) error {
			if _, err := s.Step(b.Context(), ids[i], storetest.Accept); err != nil {
				return err
			}
			_, err := s.Step(b.Context(), ids[i], storetest.End(octopus.Succeeded))
			return err
		})
	})
}

// BenchmarkClaim claims queued executions of one pool, 50 at a time.
func BenchmarkClaim(b *testing.B) {
	benchmarkStores(b, func(b *testing.B, s *store.Store) {
		for range b.N {
			if _, _, err := s.CreateRun(b.Context(), storetest.NewRun(s, 1, nil)); err != nil {
				b.Fatal(err)
			}
		}
		b.ResetTimer()
		for left := b.N; left > 0; {
			claimed, err := s.Claim(b.Context(), store.ClaimQuery{Agents: []store.ClaimAgent{{ID: "agt_1", Credits: 50, Pools: []string{""}}}}, storetest.OfferClaimed)
			if err != nil || len(claimed) == 0 {
				b.Fatal(len(claimed), err)
			}
			left -= len(claimed)
		}
	})
}

// BenchmarkLists reads first pages of a history of b.N runs: -benchtime=1000000x for the number in the goals.
func BenchmarkLists(b *testing.B) {
	s := storetest.Open(b)
	ends := []octopus.Status{octopus.Succeeded, octopus.Succeeded, octopus.Succeeded, octopus.Succeeded, octopus.Failed}
	inFlight(b, 256, 3, func(i int) error {
		n := offeredRun(s, i)
		if _, _, err := s.CreateRun(b.Context(), n); err != nil {
			return err
		}
		if _, err := s.Step(b.Context(), n.Executions[0].ID, storetest.Accept); err != nil {
			return err
		}
		_, err := s.Step(b.Context(), n.Executions[0].ID, storetest.End(ends[i%len(ends)]))
		return err
	})
	now := s.Now()
	for name, f := range map[string]store.ExecutionFilter{
		"all": {}, "failed": {Statuses: []octopus.Status{octopus.Failed}}, "lost": {Statuses: []octopus.Status{octopus.Lost}},
		"agent": {AgentID: "agt_7"}, "plugin": {Plugin: "rare"}, "text": {Text: "nothing has this"}, "day": {CreatedSince: now.Add(-24 * time.Hour)},
		"finished": {FinishedSince: now.Add(-time.Hour)},
	} {
		began := time.Now()
		items, _, err := s.Executions(b.Context(), f, store.Page{Descending: true})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/1000, "ms-"+name)
		_ = items
	}
}

// BenchmarkOpen opens a database that exists.
func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "octopus.db")
	for range b.N {
		s, err := store.Open(b.Context(), store.Options{URL: path})
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
