package fuel

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// BenchmarkLoops says how many times as long the counting form takes, each
// round measured side by side with the module as it was. The goal is 1.25 on a
// tight loop.
func BenchmarkLoops(b *testing.B) {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
	defer rt.Close(ctx)
	raw := read(b, "work")
	plain, counted := instance(b, rt, raw), instance(b, rt, must(Rewrite(raw)))
	tank := counted.ExportedGlobal(Global).(api.MutableGlobal)
	for _, c := range []struct {
		name string
		n    uint64
	}{{"sum", 2_000_000}, {"while", 2_000_000}, {"sieve", 200_000}, {"collatz", 20_000}, {"fib", 24}, {"machine", 300_000}} {
		b.Run(c.name, func(b *testing.B) {
			run := func(m api.Module) time.Duration {
				began := time.Now()
				if _, err := m.ExportedFunction(c.name).Call(ctx, c.n); err != nil {
					b.Fatal(err)
				}
				return time.Since(began)
			}
			plainly, counting := time.Hour, time.Hour
			for b.Loop() {
				tank.Set(math.MaxInt64)
				plainly = min(plainly, run(plain))
				counting = min(counting, run(counted))
			}
			b.ReportMetric(float64(counting)/float64(plainly), "times")
			b.ReportMetric(float64(plainly.Nanoseconds())/float64(c.n), "ns/round")
			b.ReportMetric(float64(math.MaxInt64-tank.Get())/float64(c.n), "fuel/round")
		})
	}
}
