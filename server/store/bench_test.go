package store_test

import (
	"encoding/json"
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
)

// one run with one execution, offered already: what a submit with a local agent that has a credit writes.
func offeredRun(now time.Time, agent int) store.NewRun {
	run := octopus.Run{ID: octopus.NewID(octopus.PrefixRun, now), Work: octopus.Work{Plugin: "noop", Version: "1.0.0",
		Action: "run", Params: json.RawMessage(`{}`), Target: octopus.Target{Mode: octopus.TargetAny}}, CreatedBy: "ada", Source: "api"}
	x := octopus.Execution{ID: octopus.NewID(octopus.PrefixExecution, now), RunID: run.ID, Plugin: "noop", PluginVersion: "1.0.0",
		Digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000", Action: "run", Mode: octopus.TargetAny,
		AgentID: fmt.Sprintf("agt_%d", agent), AgentName: fmt.Sprintf("web-%02d", agent), Status: octopus.Offered, Fence: 1, MaxAttempts: 1,
		OnLost: octopus.OnLostFail, Timeout: 30 * time.Second, LostAfter: 15 * time.Minute, CreatedAt: now, QueuedAt: now,
		OfferedAt: now, OfferExpiresAt: now.Add(10 * time.Second), WaitUntil: now.Add(time.Hour), DeadlineAt: now.Add(2 * time.Hour), CreatedBy: "ada"}
	return store.NewRun{Run: run, Executions: []octopus.Execution{x}}
}

func accept(x octopus.Execution, now time.Time) (store.Change, error) {
	x.Status, x.Attempt, x.GoAt, x.OfferExpiresAt = octopus.Running, x.Attempt+1, now, time.Time{}
	x.DeadlineAt = now.Add(time.Minute)
	return store.Change{Next: x, Events: []octopus.Event{{Kind: "accepted", AgentID: x.AgentID, AgentName: x.AgentName, Message: "Accepted."}},
		Attempt: &octopus.Attempt{Number: x.Attempt, Fence: x.Fence, AgentID: x.AgentID, AgentName: x.AgentName, Status: octopus.Running, GoAt: now}}, nil
}

var response = json.RawMessage(`{"status_code":200,"message":"ok","data":[]}`)

func succeed(x octopus.Execution, now time.Time) (store.Change, error) {
	x.Status, x.StartedAt, x.FinishedAt, x.StatusCode, x.Message, x.Response = octopus.Succeeded, now, now, 200, "ok", response
	x.Usage = octopus.Usage{ReadyTime: 200 * time.Microsecond, GuestTime: 100 * time.Microsecond, PeakMemory: 65536}
	return store.Change{Next: x, Events: []octopus.Event{{Kind: "ended", AgentID: x.AgentID, AgentName: x.AgentName, Message: "Succeeded."}},
		Attempt: &octopus.Attempt{Number: x.Attempt, Fence: x.Fence, AgentID: x.AgentID, AgentName: x.AgentName, Status: octopus.Succeeded,
			GoAt: x.GoAt, StartedAt: now, FinishedAt: now}}, nil
}

// BenchmarkExecution stores whole executions: create (offered), accept, result; each is answered after its commit.
func BenchmarkExecution(b *testing.B) {
	for _, flight := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("sqlite/%d", flight), func(b *testing.B) {
			s, err := store.Open(b.Context(), store.Options{URL: filepath.Join(b.TempDir(), "octopus.db"), Bus: bus.NewLocal()})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			benchmarkExecution(b, s, flight)
		})
	}
}

func benchmarkExecution(b *testing.B, s *store.Store, flight int) {
	took := make([]time.Duration, b.N)
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	cpu := cpuTime()
	for range flight {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= b.N {
					return
				}
				began := time.Now()
				n := offeredRun(s.Now(), i%50)
				if _, _, err := s.CreateRun(b.Context(), n); err != nil {
					b.Error(err)
					return
				}
				id := n.Executions[0].ID
				for _, step := range []store.StepFunc{accept, succeed} {
					if _, err := s.Step(b.Context(), id, step); err != nil {
						b.Error(err)
						return
					}
				}
				took[i] = time.Since(began)
			}
		})
	}
	wg.Wait()
	cpu = cpuTime() - cpu
	slices.Sort(took)
	b.ReportMetric(float64(cpu.Microseconds())/float64(b.N), "cpu-µs/op")
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "ms-p99")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "executions/s")
	b.ReportMetric(3*float64(b.N)/b.Elapsed().Seconds(), "transitions/s")
}
