package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Agents says how many simulated agents connect, and for how long they stay.
type Agents struct {
	// Server is the base URL, Token a join token that may be used N times.
	Server, Token string
	// N is the number of agents. Defaults to 10,000.
	N int
	// Hold is how long all of them stay connected while the server is measured. Defaults to 30 s.
	Hold time.Duration
	// Parallel is how many enrol or connect at a time. Defaults to 64.
	Parallel int
	// Insecure skips the check of the server's certificate: a load test has no secrets.
	Insecure bool
	// Progress is told what happens, in words. Defaults to silence.
	Progress func(format string, args ...any)
}

// AgentsResult is what it took.
type AgentsResult struct {
	Agents        int            `json:"agents"`
	Connected     int            `json:"connected"` // at the end of the hold
	Reconnects    int            `json:"reconnects"`
	ConnectSecs   float64        `json:"connect_seconds"` // until all were there
	Enrol         Percentiles    `json:"enrol"`
	Connect       Percentiles    `json:"connect"`   // nonce, upgrade, hello, welcome
	Heartbeat     Percentiles    `json:"heartbeat"` // sent → acknowledged
	HoldSeconds   float64        `json:"hold_seconds"`
	BytesPerAgent int64          `json:"server_bytes_per_agent,omitempty"`
	Connecting    *Process       `json:"server_while_connecting,omitempty"`
	Holding       *Process       `json:"server_while_holding,omitempty"`
	Failures      map[string]int `json:"failures,omitempty"`
}

func (c Agents) withDefaults() Agents {
	if c.N <= 0 {
		c.N = 10_000
	}
	if c.Hold <= 0 {
		c.Hold = 30 * time.Second
	}
	if c.Parallel <= 0 {
		c.Parallel = 64
	}
	if c.Progress == nil {
		c.Progress = func(string, ...any) {}
	}
	return c
}

// fleet is the load while it is on.
type fleet struct {
	Agents
	enrolled, connected, heartbeats samples
	failed                          failures
	online, reconnects              atomic.Int64
	all                             chan struct{} // closed when every agent was connected once
}

// Run enrols the agents, connects them, and holds them.
func (c Agents) Run(ctx context.Context) (AgentsResult, error) {
	c = c.withDefaults()
	f := &fleet{Agents: c, all: make(chan struct{})}
	pid, _ := ServerPID(c.Server)

	c.Progress("enrolling %d agents", c.N)
	agents, err := f.enrolAll(ctx)
	if err != nil {
		return AgentsResult{}, err
	}
	connecting := startMeter(pid)
	started := time.Now()
	stop, wait := f.connectAll(ctx, agents)
	defer wait()
	defer stop()
	if err := f.waitForAll(ctx); err != nil {
		return AgentsResult{}, err
	}
	result := AgentsResult{Agents: c.N, ConnectSecs: time.Since(started).Seconds(), Connecting: connecting.stop()}

	c.Progress("all are connected; holding them for %s", c.Hold)
	holding := startMeter(pid)
	held := time.Now()
	select {
	case <-time.After(c.Hold):
	case <-ctx.Done():
	}
	result.Holding = holding.stop()
	result.HoldSeconds = time.Since(held).Seconds()
	result.Connected = int(f.online.Load())
	stop()
	wait()
	f.finish(&result)
	return result, nil
}

func (f *fleet) finish(r *AgentsResult) {
	r.Reconnects = int(f.reconnects.Load())
	r.Enrol, r.Connect, r.Heartbeat = f.enrolled.percentiles(), f.connected.percentiles(), f.heartbeats.percentiles()
	r.Failures = f.failed.all()
	if r.Connecting != nil && r.Holding != nil {
		r.BytesPerAgent = (r.Holding.ResidentAfter - r.Connecting.ResidentBefore) / int64(f.N)
	}
}

// enrolAll registers every agent with its own key.
func (f *fleet) enrolAll(ctx context.Context) ([]*simulated, error) {
	agents := make([]*simulated, f.N)
	err := each(ctx, f.N, f.Parallel, func(ctx context.Context, i int) error {
		s, err := newSimulated(f, i)
		if err != nil {
			return err
		}
		started := time.Now()
		if err := s.enrol(ctx); err != nil {
			return fmt.Errorf("enrol agent %d: %w", i, err)
		}
		f.enrolled.add(time.Since(started))
		agents[i] = s
		return nil
	})
	return agents, err
}

// connectAll starts one goroutine for each agent, which stays until stop. wait returns when all have ended.
func (f *fleet) connectAll(ctx context.Context, agents []*simulated) (stop context.CancelFunc, wait func()) {
	ctx, stop = context.WithCancel(ctx)
	var running, first sync.WaitGroup
	gate := make(chan struct{}, f.Parallel) // how many connect at a time
	first.Add(len(agents))
	for _, s := range agents {
		running.Go(func() { s.stay(ctx, gate, first.Done) })
	}
	running.Go(func() {
		first.Wait()
		close(f.all)
	})
	return stop, running.Wait
}

// waitForAll returns when every agent is connected, and reports how it goes each five seconds.
func (f *fleet) waitForAll(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-f.all:
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
