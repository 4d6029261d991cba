package wasmplugins

import (
	"os"
	"slices"
	"testing"
	"time"

	"octopus/sdk/spec"
	"octopus/wasmplugins/internal/fuel"
)

// BenchmarkNoop is one whole run through the pool with a warm runner.
func BenchmarkNoop(b *testing.B) {
	p, digests := newPool(b, PoolConfig{}, "noop")
	job := Job{Digest: digests["noop"], Request: []byte(`{"abi":1,"action":"run","params":{}}`)}
	p.Run(b.Context(), job, nil)
	var times []time.Duration
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		if out := p.Run(b.Context(), job, nil); out.Response.StatusCode != 200 {
			b.Fatalf("%+v", out)
		}
		times = append(times, time.Since(began))
	}
	percentiles(b, times)
}

func percentiles(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkHostCall is one run with a host call.
func BenchmarkHostCall(b *testing.B) {
	p, digests := newPool(b, PoolConfig{}, "ask")
	job := Job{Digest: digests["ask"]}
	for b.Loop() {
		p.Run(b.Context(), job, nil)
	}
}

// BenchmarkKill measures how late after its deadline an endless guest is dead.
func BenchmarkKill(b *testing.B) {
	for _, name := range []string{"loop", "exponential", "log_flood", "call_flood"} {
		b.Run(name, func(b *testing.B) {
			p, digests := newPool(b, PoolConfig{}, name)
			var late []time.Duration
			for b.Loop() {
				out := p.Run(b.Context(), Job{Digest: digests[name], Timeout: 50 * time.Millisecond}, nil)
				if out.Response.Error == nil || out.Response.Error.Code != spec.CodeTimeout {
					b.Fatalf("%+v", out)
				}
				late = append(late, out.GuestTime-50*time.Millisecond)
			}
			percentiles(b, late)
		})
	}
}

// BenchmarkColdStart is a run that needs a new runner, compiled or cached.
func BenchmarkColdStart(b *testing.B) {
	path := os.Getenv("OCTOPUS_BENCH_MODULE")
	raw := module(b, "noop")
	if path != "" {
		var err error
		if raw, err = os.ReadFile(path); err != nil {
			b.Fatal(err)
		}
	}
	s := shelf{Digest(raw): raw}
	p, _ := newPool(b, PoolConfig{Load: s.load})
	job := Job{Digest: Digest(raw), Memory: MaxMemory}
	b.Run("compiled", func(b *testing.B) {
		for b.Loop() {
			_ = p.cache.drop(codeForm(b, p, job.Digest))
			if _, err := p.Prepare(b.Context(), job.Digest, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cached", func(b *testing.B) {
		for b.Loop() {
			p.mu.Lock()
			for len(p.idle) > 0 {
				p.dropIdle(0)
			}
			p.mu.Unlock()
			if out := p.Run(b.Context(), job, nil); out.Started.IsZero() {
				b.Fatalf("%+v", out)
			}
		}
	})
	for name, pause := range map[string]time.Duration{"warm": 0, "warm, now and then": 5 * time.Millisecond} {
		b.Run(name, func(b *testing.B) {
			var times []time.Duration
			for b.Loop() {
				time.Sleep(pause)
				began := time.Now()
				if out := p.Run(b.Context(), job, nil); out.Started.IsZero() {
					b.Fatalf("%+v", out)
				}
				times = append(times, time.Since(began))
			}
			percentiles(b, times)
		})
	}
}

// BenchmarkCheck scans a module of nearly 32 MiB; the goal is 100 ms.
func BenchmarkCheck(b *testing.B) {
	raw := largest()
	began := cpuTime()
	defer func() { b.ReportMetric(float64((cpuTime()-began).Milliseconds())/float64(b.N), "cpu-ms/op") }()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := Check(raw, 0); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFuelRewrite makes the counting form of a module of nearly 32 MiB;
// the goal is 100 ms.
func BenchmarkFuelRewrite(b *testing.B) {
	raw := largest()
	if path := os.Getenv("OCTOPUS_BENCH_MODULE"); path != "" {
		var err error
		if raw, err = os.ReadFile(path); err != nil {
			b.Fatal(err)
		}
	}
	began := cpuTime()
	defer func() { b.ReportMetric(float64((cpuTime()-began).Milliseconds())/float64(b.N), "cpu-ms/op") }()
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		out, err := fuel.Rewrite(raw)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(out))/float64(len(raw)), "times-the-size")
	}
}
