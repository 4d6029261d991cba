package sim

import (
	"fmt"
	"time"
)

// lanes run what dispatch does in goroutines, in order per key.
type lanes struct {
	w      *World
	p      *proc
	queues map[string][]func()
}

func newLanes(w *World, p *proc) *lanes {
	return &lanes{w: w, p: p, queues: make(map[string][]func())}
}

func (l *lanes) later(key string, fn func()) {
	queue, busy := l.queues[key]
	l.queues[key] = append(queue, fn)
	if !busy {
		l.w.after(l.w.between(0, 2*time.Millisecond), l.p, func() { l.w.spawn(l.p, func() { l.run(key) }) })
	}
}

func (l *lanes) run(key string) {
	for len(l.queues[key]) > 0 {
		fn := l.queues[key][0]
		fn()
		l.queues[key] = l.queues[key][1:]
	}
	delete(l.queues, key)
}

// wait runs fn in its turn and returns when it has run.
func (l *lanes) wait(key string, fn func()) {
	t, done := l.w.task, false
	if t == nil {
		panic("sim: a wait outside of a task")
	}
	l.later(key, func() {
		fn()
		done = true
		l.w.after(0, l.p, t.run)
	})
	for !done {
		t.wait()
	}
}

// Later implements dispatch.Driver.
func (s *server) Later(key string, fn func()) { s.lanes.later(key, fn) }

// Wait implements dispatch.Driver.
func (s *server) Wait(key string, fn func()) { s.lanes.wait(key, fn) }

// Wake implements dispatch.Driver.
func (s *server) Wake() {
	if s.woken {
		return
	}
	s.woken = true
	if !s.claiming {
		s.w.after(s.w.between(0, 2*time.Millisecond), s.proc, s.claim)
	}
}

// IntN implements dispatch.Driver.
func (s *server) IntN(n int) int { return s.w.rng.IntN(n) }

// NewID implements dispatch.Driver.
func (s *server) NewID(prefix string, _ time.Time) string {
	s.w.next++
	return fmt.Sprintf("%s%06d", prefix, s.w.next)
}
