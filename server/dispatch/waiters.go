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
	byKey map[string]map[chan ending]bool // run or execution id
	// alive are runs that began here and of which nothing has ended yet, with the time at which the first of their
	// executions started, at most maxAlive.
	alive map[string]time.Time
}

// ending is the end of one execution, as it was committed.
type ending struct {
	x  octopus.Execution // without Params
	at time.Time         // of the commit
	// Where whole is set this server saw all of the run's life up to here, and it started at started.
	whole   bool
	started time.Time
}

// maxAlive bounds the runs that are known to live. Beyond it a wait begins with a look at the database again.
const maxAlive = 10_000

func (w *waiters) init() {
	w.byKey, w.alive = make(map[string]map[chan ending]bool), make(map[string]time.Time)
}

// began notes a run before it is stored: whoever waits for it need not look first.
func (w *waiters) began(runID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.alive) >= maxAlive {
		clear(w.alive)
	}
	w.alive[runID] = time.Time{}
}

// forget takes back what began noted: the run was not stored.
func (w *waiters) forget(runID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.alive, runID)
}

// started notes when the first execution of a run that lives was started.
func (w *waiters) started(runID string, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if first, ok := w.alive[runID]; ok && first.IsZero() {
		w.alive[runID] = at
	}
}

func (w *waiters) lives(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, ok := w.alive[key]
	return ok
}

// add returns a channel that gets the end of something under key; remove takes it away.
func (w *waiters) add(key string) chan ending {
	ch := make(chan ending, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byKey[key] == nil {
		w.byKey[key] = make(map[chan ending]bool)
	}
	w.byKey[key][ch] = true
	return ch
}

func (w *waiters) remove(key string, ch chan ending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byKey[key], ch)
	if len(w.byKey[key]) == 0 {
		delete(w.byKey, key)
	}
}

// ended wakes those who wait for x or its run. Whoever has not taken an earlier end yet looks for both by himself.
func (w *waiters) ended(x octopus.Execution, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := ending{x: x, at: at}
	e.started, e.whole = w.alive[x.RunID]
	delete(w.alive, x.RunID)
	for _, key := range [2]string{x.ID, x.RunID} {
		for ch := range w.byKey[key] {
			select {
			case ch <- e:
			default: // it has a signal already
			}
		}
	}
}

// pollEvery is how often a waiter looks without having heard anything: hints may be lost.
const pollEvery = 2 * time.Second

// calm is how long hints from the bus are gathered before a waiter looks: this server's own steps signal at once.
const calm = 100 * time.Millisecond

// wait calls look when something under key may have ended, until it says so, most has passed or ctx is done. told
// gets what this server saw end first, and may say that no look is needed.
func (d *Dispatcher) wait(ctx context.Context, key, topic string, most time.Duration, told func(ending) bool, look func() (done bool, err error)) error {
	ch := d.waiters.add(key)
	defer d.waiters.remove(key, ch)
	var hints <-chan bus.Hint
	if d.cfg.Bus != nil && d.shared {
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
			case e := <-ch:
				if told(e) {
					return nil
				}
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

// WaitRun returns the run when it has ended, or as it is after most. run is as Submit or the store returned it.
// only is the execution of a run that has just one and that ended meanwhile, without Params, nil where it must be
// read: most runs have one, and to read both rows again cost as much as to write them.
func (d *Dispatcher) WaitRun(ctx context.Context, run octopus.Run, most time.Duration) (ended octopus.Run, only *octopus.Execution, err error) {
	told := func(e ending) bool {
		if !e.whole || run.Total != 1 {
			return false
		}
		ended, only = run, &e.x
		ended.Counts = octopus.Counts{e.x.Status: 1}
		ended.StartedAt, ended.FinishedAt = e.started, e.at
		return true
	}
	err = d.wait(ctx, run.ID, "run:"+run.ID, most, told, func() (bool, error) {
		ended, err = d.store.Run(ctx, run.ID)
		return ended.Status().Terminal(), err
	})
	return ended, only, err
}

// WaitExecution returns when the execution has ended, or after most.
func (d *Dispatcher) WaitExecution(ctx context.Context, executionID string, most time.Duration) error {
	told := func(e ending) bool { return true }
	return d.wait(ctx, executionID, "execution:"+executionID, most, told, func() (bool, error) {
		x, err := d.store.Execution(ctx, executionID)
		return x.Status.Terminal(), err
	})
}
