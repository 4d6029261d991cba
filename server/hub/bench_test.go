package hub_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
)

// work accepts every offer and answers every go at once, until the connection ends: an agent whose sandbox costs
// nothing, so that what is measured is the server.
func (l *link) work() {
	var offer atomic.Int64
	free := l.slots
	for m := range l.got {
		switch m := m.(type) {
		case *wire.Offer:
			offer.Store(m.OfferSeq)
			free--
			l.reply(&wire.Accept{Execution: m.Execution, Fence: m.Fence})
		case *wire.Go:
			free++
			r := l.succeed(m, offer.Load())
			r.Free = free
			l.reply(r)
		}
	}
}

func (l *link) reply(m wire.Message) {
	frame, err := wire.Encode(m)
	if err == nil {
		err = l.ws.Write(context.Background(), 1, frame)
	}
	if err != nil && l.t.Context().Err() == nil {
		l.t.Errorf("write: %v", err)
	}
}

func BenchmarkOneInFlight(b *testing.B) { benchmark(b, 1) }
func Benchmark16InFlight(b *testing.B)  { benchmark(b, 16) }
func Benchmark64InFlight(b *testing.B)  { benchmark(b, 64) }

func benchmark(b *testing.B, inFlight int) {
	s := start(b, settings{dispatch: dispatch.Config{Sweep: time.Second}})
	m := s.enrol("bench")
	m.slots = 64
	l, _ := m.connect()
	done := make(chan struct{})
	go func() { defer close(done); l.work() }()
	defer func() { l.ws.CloseNow(); <-done }()

	var mu sync.Mutex
	var times []time.Duration
	var left atomic.Int64
	left.Store(int64(b.N))
	before := s.store.Statements()
	b.ResetTimer()
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				start := time.Now()
				run, _, err := s.dispatch.Submit(context.Background(), dispatch.Submission{
					Work: octopus.Work{Plugin: "probe", Action: "once"}, By: "ada", Source: "api"})
				if err != nil {
					b.Error(err)
					return
				}
				if run, _, err = s.dispatch.WaitRun(context.Background(), run, 30*time.Second); err != nil || run.Status() != octopus.RunSucceeded {
					b.Errorf("%s: %v", run.Status(), err)
					return
				}
				mu.Lock()
				times = append(times, time.Since(start))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	slices.Sort(times)
	b.ReportMetric(float64(s.store.Statements()-before)/float64(b.N), "statements/run")
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "runs/s")
}
