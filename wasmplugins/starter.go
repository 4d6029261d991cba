package wasmplugins

import (
	"os/exec"
	"runtime"
	"sync"
)

// starter starts every runner from one thread that never ends before the pool
// does: on Linux the parent-death signal follows the thread, not the process,
// and Go ends threads as it likes.
type starter struct {
	work chan func()
	done chan struct{}
	once sync.Once
}

func newStarter() *starter {
	s := &starter{work: make(chan func()), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		for f := range s.work {
			f()
		}
	}()
	return s
}

// start starts a command on the permanent thread.
func (s *starter) start(cmd *exec.Cmd) error {
	result := make(chan error, 1)
	s.work <- func() { result <- cmd.Start() }
	return <-result
}

// close ends the thread. All children are gone by then.
func (s *starter) close() {
	s.once.Do(func() { close(s.work) })
	<-s.done
}
