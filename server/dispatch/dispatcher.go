package dispatch

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxPending bounds what agents reported and is not yet written. Beyond it their sockets are not read.
const maxPending = 4096

// stopGrace is how long what is under way may take to be written when the dispatcher stops.
const stopGrace = 5 * time.Second

// Dispatcher decides what runs where. Make it with [New] and give it a goroutine with [Dispatcher.Run].
type Dispatcher struct {
	cfg     Config
	rules   rules
	store   Store
	shared  bool      // other servers may use the same database
	started time.Time // silence is counted from here at the earliest
	driver  Driver    // nil but in a simulator

	base  context.Context // of what agents report: outlives their requests
	stop  context.CancelCauseFunc
	steps *lanes // by execution id: every step goes through here
	hello *lanes // by agent id: reconciling waits for steps, so it has lanes of its own

	wake    chan struct{} // capacity 1: somebody has room and somebody waits
	offers  offerCache
	roster  roster
	waiters waiters
	reasons reasons

	mu       sync.Mutex          // guards what follows
	sessions map[string]*Session // connected agents by id
	names    map[string]*Session // the same by name
	pools    map[string]*pool    // by canonical selector, at most maxPools
	backlog  backlog
	absent   map[string]*absence // agents that hold executions and are not connected here

	compare map[string]bool // plugins with a version on trial of which something ended since they were compared last

	cancelsRead time.Time // when cancels of other servers were looked for last
}

// New makes a dispatcher. Agents may attach at once; timers run with [Dispatcher.Run].
func New(c Config) *Dispatcher {
	c = c.withDefaults()
	d := &Dispatcher{
		cfg:      c,
		rules:    rules{offerTTL: c.OfferTTL, cancelGrace: c.CancelGrace, slack: c.TimeoutSlack, backoff: c.RetryBackoff, waitAny: c.WaitAny, waitAgent: c.WaitAgent},
		store:    c.Store,
		shared:   c.Store.Dialect() == "postgres",
		started:  c.Now(),
		steps:    newLanes(maxPending),
		hello:    newLanes(maxPending),
		wake:     make(chan struct{}, 1),
		sessions: make(map[string]*Session),
		names:    make(map[string]*Session),
		pools:    make(map[string]*pool),
		absent:   make(map[string]*absence),
		compare:  map[string]bool{"": true}, // all: the process before may have ended before it compared
	}
	d.rules.afterRestore(c.Restore)
	d.base, d.stop = context.WithCancelCause(context.Background())
	d.roster.init()
	d.waiters.init()
	d.backlog.init()
	return d
}

// Run sweeps timers, places queued work and follows changes until ctx is done. It returns when everything that it
// started has ended and what agents reported is written.
func (d *Dispatcher) Run(ctx context.Context) error {
	if err := d.recover(ctx); err != nil {
		return err
	}
	var wg sync.WaitGroup
	for _, loop := range []func(context.Context){d.sweepLoop, d.claimLoop, d.followLoop} {
		wg.Go(func() { loop(ctx) })
	}
	wg.Wait()
	hurry := time.AfterFunc(stopGrace, func() { d.stop(errStopped) })
	defer hurry.Stop()
	d.hello.close()
	d.steps.close()
	d.stop(errStopped)
	return nil
}

// inLane runs fn behind everything else about one execution, and waits for it.
func (d *Dispatcher) inLane(ctx context.Context, executionID string, fn func(ctx context.Context)) error {
	if d.driver != nil {
		d.driver.Wait(executionID, func() { fn(d.base) })
		return nil
	}
	done := make(chan struct{})
	err := d.steps.do(ctx, executionID, func() {
		defer close(done)
		fn(d.base)
	})
	if err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx) // it is done all the same
	}
}

// background queues fn behind everything else about one execution.
func (d *Dispatcher) background(executionID string, fn func(ctx context.Context)) {
	err := d.steps.do(d.base, executionID, func() { fn(d.base) })
	if err != nil && !errors.Is(err, errStopped) {
		d.cfg.Log.Warn("work was dropped at shutdown", "execution", executionID, "err", err)
	}
}

// wakeClaim lets the claimer look for work. It never blocks.
func (d *Dispatcher) wakeClaim() {
	if d.driver != nil {
		d.driver.Wake()
		return
	}
	select {
	case d.wake <- struct{}{}:
	default: // it is awake already
	}
}
