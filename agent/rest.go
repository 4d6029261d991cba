package agent

import (
	"context"
	"runtime/debug"
	"time"
)

// rest gives memory back to the system after each stretch of work, the start included, once nothing happened for
// restAfter. It is a goroutine of Run.
func (a *Agent) rest(ctx context.Context) {
	looked, rested := int64(0), int64(-1)
	for {
		timer := time.NewTimer(a.config.restAfter)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		begun := a.begun.Load()
		if begun == looked && begun != rested && a.status.isIdle() {
			rested = begun
			debug.FreeOSMemory()
			dropCode()
		}
		looked = begun
	}
}
