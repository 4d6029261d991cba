package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"octopus/sdk"
)

// fleet is the load while it is on.
type fleet struct {
	Agents
	client                          *sdk.Client
	token                           string // join token
	agents                          []*simulated
	enrolled, connected, heartbeats samples
	failed                          failures
	online, reconnects              atomic.Int64
	all                             chan struct{} // closed when every agent was connected once
	arrivals                        arrivals
	journal                         journal // what the agents that work hold
}

func newFleet(c Agents) *fleet {
	return &fleet{
		Agents: c, all: make(chan struct{}), agents: make([]*simulated, c.N), journal: newJournal(),
		client: sdk.New(c.Server, c.APIToken, sdk.WithUserAgent("octopus-bench"), sdk.WithHTTPClient(httpClient(8, c.Insecure))),
	}
}

// enrolAll registers every agent with its own key.
func (f *fleet) enrolAll(ctx context.Context, r *AgentsResult) (err error) {
	f.Progress("enrolling %d agents", f.N)
	if f.token, err = f.joinToken(ctx); err != nil {
		return err
	}
	pid, _ := ServerPID(f.Server)
	meter, begun := startMeter(pid), time.Now()
	err = each(ctx, f.N, f.Parallel, func(ctx context.Context, i int) error {
		s, err := newSimulated(f, i)
		if err != nil {
			return err
		}
		started := time.Now()
		if err := s.enrol(ctx); err != nil {
			return fmt.Errorf("enrol agent %d: %w", i, err)
		}
		f.enrolled.add(time.Since(started))
		f.agents[i] = s
		return nil
	})
	r.EnrolSeconds, r.Enrolling, r.Enrol = time.Since(begun).Seconds(), meter.stop(), f.enrolled.percentiles()
	return err
}

// connectAll starts one goroutine for each agent, which stays until stop. wait returns when all have ended.
func (f *fleet) connectAll(ctx context.Context) (stop context.CancelFunc, wait func()) {
	f.Progress("connecting them")
	ctx, stop = context.WithCancel(ctx)
	var running, first sync.WaitGroup
	gate := make(chan struct{}, f.Parallel) // how many connect for the first time at a time
	first.Add(len(f.agents))
	f.arrivals.expect()
	for _, s := range f.agents {
		running.Go(func() { s.stay(ctx, gate, first.Done) })
	}
	running.Go(func() {
		first.Wait()
		close(f.all)
	})
	return stop, running.Wait
}

// arrive returns when every agent is connected, and reports how it goes each five seconds.
func (f *fleet) arrive(ctx context.Context, r *AgentsResult) error {
	pid, _ := ServerPID(f.Server)
	meter, begun := startMeter(pid), time.Now()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-f.all:
			r.ConnectSeconds, r.Connecting, r.Connect = time.Since(begun).Seconds(), meter.stop(), f.connected.percentiles()
			r.ConnectRate = f.arrivals.rate()
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
			f.Progress("%d of %d are connected", f.online.Load(), f.N)
			if f.online.Load() == 0 && f.failed.total() > 100 {
				return fmt.Errorf("no agent gets through: %v", f.failed.all())
			}
		}
	}
}

// each calls do for 0 … n-1 from a number of goroutines; the first error ends it.
func each(ctx context.Context, n, parallel int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(n, parallel) {
		group.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := do(ctx, int(i)); err != nil {
					cancel(err)
				}
			}
		})
	}
	group.Wait()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return ctx.Err()
}
