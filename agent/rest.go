package agent

import (
	"context"
	"runtime/debug"
	"time"
)

// firstRest is when an agent gives back what only its start needed: most of the program's own file, which starting
// touches from end to end, and what parsing and enrolling left behind.
const firstRest = time.Second

// rest gives memory back to the system: soon after the start, and after each stretch of work once nothing happened for
// restAfter. It is a goroutine of Run.
func (a *Agent) rest(ctx context.Context) {
	looked, rested := int64(0), int64(-1)
	wait := min(firstRest, a.config.restAfter)
	for first := true; ; first = false {
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		wait = a.config.restAfter
		begun := a.begun.Load()
		switch {
		case first:
			debug.FreeOSMemory()
			dropCode()
		case begun == rested || !a.status.isIdle():
		case begun == looked:
			rested = begun
			debug.FreeOSMemory()
			dropCode()
		default: // modules are fetched and compiled, by processes of their own
			dropCode()
		}
		looked = begun
	}
}
