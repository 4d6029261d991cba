package wasmplugins

import (
	"context"
	"errors"
	"slices"
	"sync"
)

// turns decides which modules are compiled now, because each takes a core for
// seconds. What somebody waits for goes first: for it, something that is
// compiled ahead of its need is stopped and gets another turn later.
type turns struct {
	mu      sync.Mutex
	free    int     // guarded by mu, as all below: how many more may compile now
	waiting []*turn // first come, first served, but for what is ahead
	running []*turn
}

// turn is one compilation's place. Its owner takes it and gives it back, as
// often as it is stopped.
type turn struct {
	ahead   bool // nobody waits for it yet. This and all below: guarded by turns.mu
	granted chan struct{}
	stop    context.CancelCauseFunc // nil until it is granted; ends a compilation ahead
	stopped bool
}

// errStopped ends a compilation ahead that had to make room.
var errStopped = errors.New("stopped for what somebody waits for")

// take waits for the turn. The context that it returns ends with errStopped
// where the compilation has to make room. The caller calls give, also after an error.
func (q *turns) take(ctx context.Context, t *turn) (context.Context, error) {
	run, stop := context.WithCancelCause(ctx)
	q.mu.Lock()
	t.granted, t.stop, t.stopped = make(chan struct{}), stop, false
	granted := t.granted
	q.waiting = append(q.waiting, t)
	q.next()
	q.mu.Unlock()
	select {
	case <-granted:
		return run, nil
	case <-ctx.Done():
		return run, context.Cause(ctx)
	}
}

// give ends the turn and says whether it was stopped.
func (q *turns) give(t *turn) (stopped bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if i := slices.Index(q.running, t); i >= 0 {
		q.running = slices.Delete(q.running, i, i+1)
		q.free++
	} else if i := slices.Index(q.waiting, t); i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	t.stop(nil)
	q.next()
	return t.stopped
}

// hurry says that somebody waits for it now.
func (q *turns) hurry(t *turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.ahead = false
	q.next()
}

// next grants what there is room for, and makes room. q.mu is held.
func (q *turns) next() {
	for len(q.waiting) > 0 {
		i := max(0, slices.IndexFunc(q.waiting, func(t *turn) bool { return !t.ahead }))
		t := q.waiting[i]
		if q.free == 0 {
			if !t.ahead {
				q.makeRoom()
			}
			return
		}
		q.free--
		q.waiting = slices.Delete(q.waiting, i, i+1)
		q.running = append(q.running, t)
		close(t.granted)
	}
}

// makeRoom stops compilations ahead, one for each that somebody waits for.
// q.mu is held.
func (q *turns) makeRoom() {
	wanted := 0
	for _, t := range q.waiting {
		if !t.ahead {
			wanted++
		}
	}
	for _, t := range q.running {
		if t.stopped {
			wanted--
		}
	}
	for _, t := range q.running {
		if wanted > 0 && t.ahead && !t.stopped {
			t.stopped = true
			t.stop(errStopped)
			wanted--
		}
	}
}
