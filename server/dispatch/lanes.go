package dispatch

import (
	"context"
	"errors"
	"sync"
)

// errStopped is returned by what comes after the dispatcher's end.
var errStopped = errors.New("the dispatcher has stopped")

// lanes runs work in order per key, and side by side for different keys: what an agent reports of one execution is
// written in its order, while the commits of many share one fsync. A goroutine exists only while its key has work.
//
// At most cap(slots) pieces wait or run. When that is full, do blocks its caller, who stops reading his socket:
// order is kept and nothing is lost.
type lanes struct {
	slots  chan struct{}
	wg     sync.WaitGroup
	driven func(key string, fn func()) // takes the goroutines' place in a simulator

	mu     sync.Mutex
	queues map[string][]func() // guarded by mu; a key is there while its goroutine runs
	closed bool                // guarded by mu
}

func newLanes(limit int) *lanes {
	return &lanes{slots: make(chan struct{}, limit), queues: make(map[string][]func())}
}

// do queues fn behind what key has. It returns before fn has run.
func (l *lanes) do(ctx context.Context, key string, fn func()) error {
	if l.driven != nil {
		l.driven(key, fn)
		return nil
	}
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		<-l.slots
		return errStopped
	}
	queue, busy := l.queues[key]
	l.queues[key] = append(queue, fn)
	if !busy {
		l.wg.Add(1)
		go l.run(key)
	}
	return nil
}

func (l *lanes) run(key string) {
	defer l.wg.Done()
	for {
		l.mu.Lock()
		queue := l.queues[key]
		if len(queue) == 0 {
			delete(l.queues, key)
			l.mu.Unlock()
			return
		}
		fn := queue[0]
		queue[0] = nil
		l.queues[key] = queue[1:]
		l.mu.Unlock()
		fn()
		<-l.slots
	}
}

// close refuses new work and waits for what was queued.
func (l *lanes) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.wg.Wait()
}
