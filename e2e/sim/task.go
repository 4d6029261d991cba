package sim

import (
	"iter"
	"time"
)

// task is a coroutine of a process: one thing that its product code does, from its cause to its end or the end of
// the process.
type task struct {
	w      *World
	p      *proc
	resume func() (struct{}, bool)
	stop   func()
	yield  func(struct{}) bool
	ended  bool
}

// crashed unwinds a task whose process is gone.
type crashed struct{}

// spawn begins a task and runs it until it waits for the first time.
func (w *World) spawn(p *proc, fn func()) {
	if p.dead {
		return
	}
	t := &task{w: w, p: p}
	t.resume, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		defer func() {
			t.ended = true
			if r := recover(); r != nil {
				if _, ok := r.(crashed); !ok {
					panic(r)
				}
			}
		}()
		fn()
	})
	p.tasks[t] = true
	t.run()
}

// run goes on with a task until it waits again.
func (t *task) run() {
	before := t.w.task
	t.w.task = t
	t.resume()
	t.w.task = before
	if t.ended {
		delete(t.p.tasks, t)
	}
}

// wait gives way to others. Somebody must have arranged that the task runs again.
func (t *task) wait() {
	if !t.yield(struct{}{}) {
		panic(crashed{})
	}
}

// pause lets others go on for a while. Outside of a task it does nothing.
func (w *World) pause(d time.Duration) {
	t := w.task
	if t == nil {
		return
	}
	w.after(d, t.p, t.run)
	t.wait()
}

// kill ends a process and all that it had under way. A task of the process itself must end after it; see die.
func (w *World) kill(p *proc) {
	p.dead = true
	for t := range p.tasks {
		if t != w.task {
			delete(p.tasks, t)
			t.stop()
		}
	}
}

// die ends the task that runs, because its process is dead.
func (w *World) die() {
	panic(crashed{})
}
