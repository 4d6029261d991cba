package dispatch

import (
	"context"
	"sync"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
)

// waiters are people who wait for the end of a run or an execution.
type waiters struct {
	mu    sync.Mutex
	byKey map[string]map[chan struct{}]bool // run or execution id
	alive map[string]bool                   // runs that began here and of which nothing has ended yet, at most maxAlive
}

// maxAlive bounds the runs that are known to live. Beyond it a wait begins with a look at the database again.
const maxAlive = 10_000

func (w *waiters) init() {
	w.byKey, w.alive = make(map[string]map[chan struct{}]bool), make(map[string]bool)
}

// began notes a run before anything of it can end: whoever waits for it need not look first.
func (w *waiters) began(runID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.alive) >= maxAlive {
		clear(w.alive)
	}
	w.alive[runID] = true
}

func (w *waiters) lives(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.alive[key]
}

// add returns a channel that gets a signal when something under key ended; remove takes it away.
func (w *waiters) add(key string) chan struct{} {
	ch := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byKey[key] == nil {
		w.byKey[key] = make(map[chan struct{}]bool)
	}
	w.byKey[key][ch] = true
	return ch
}

func (w *waiters) remove(key string, ch chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byKey[key], ch)
	if len(w.byKey[key]) == 0 {
		delete(w.byKey, key)
	}
}

// ended wakes those who wait for x or its run.
func (w *waiters) ended(x octopus.Execution) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.alive, x.RunID)
	for _, key := range [2]string{x.ID, x.RunID} {
		for ch := range w.byKey[key] {
			select {
			case ch <- struct{}{}:
			default: // it has a signal already
			}
		}
	}
}

// pollEvery is how often a waiter looks without having heard anything: hints may be lost.
const pollEvery = 2 * time.Second

// calm is how long hints from the bus are gathered before a waiter looks: this server's own steps signal at once.
const calm = 100 * time.Millisecond

// wait calls look when something under key may have ended, until it says so, most has passed or ctx is done.
func (d *Dispatcher) wait(ctx context.Context, key, topic string, most time.Duration, look func() (done bool, err error)) error {
	ch := d.waiters.add(key)
	defer d.waiters.remove(key, ch)
	var hints <-chan bus.Hint
	if d.cfg.Bus != nil {
		sub := d.cfg.Bus.Subscribe(16, topic)
		defer sub.Close()
		hints = sub.C()
	}
	limit := time.NewTimer(most)
	defer limit.Stop()
	poll := time.NewTimer(pollEvery)
	defer poll.Stop()
	for sure := !d.shared && d.waiters.lives(key); ; sure = false {
		if !sure {
			if done, err := look(); done || err != nil {
				return err
			}
		}
		poll.Reset(pollEvery)
		for asleep := true; asleep; {
			select {
			case <-ch:
				asleep = false
			case <-poll.C:
				asleep = false
			case <-hints:
				hints = nil // one is enough to look soon
				poll.Reset(calm)
			case <-limit.C:
				_, err := look()
				return err
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
}

// WaitRun returns the run when it has ended, or as it is after most.
func (d *Dispatcher) WaitRun(ctx context.Context, runID string, most time.Duration) (run octopus.Run, err error) {
	err = d.wait(ctx, runID, "run:"+runID, most, func() (bool, error) {
		run, err = d.store.Run(ctx, runID)
		return run.Status().Terminal(), err
	})
	return run, err
}

// WaitExecution does the same for one execution.
func (d *Dispatcher) WaitExecution(ctx context.Context, executionID string, most time.Duration) (x octopus.Execution, err error) {
	err = d.wait(ctx, executionID, "execution:"+executionID, most, func() (bool, error) {
		x, err = d.store.Execution(ctx, executionID)
		return x.Status.Terminal(), err
	})
	return x, err
}
