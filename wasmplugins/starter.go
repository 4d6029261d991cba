package wasmplugins

import (
	"os/exec"
	"runtime"
)

// starter starts every runner from one thread that never ends before the pool
// does: on Linux the parent-death signal follows the thread, not the process,
// and Go ends threads as it likes.
type starter struct {
	work chan func()
	done chan struct{}
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

// close ends the thread. All children are gone by then. Called once.
func (s *starter) close() {
	close(s.work)
	<-s.done
}
