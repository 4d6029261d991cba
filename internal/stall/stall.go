// Package stall tells tests how long the machine kept them waiting. What holds the product to a time adds that to it: a
// machine that has thirty other things to do makes nothing of the product slow.
package stall

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// every is how often somebody looks whether this process runs when it should.
const every = 5 * time.Millisecond

// Watch begins to measure, until the test ends. The function that it returns says for how long since then a goroutine of
// this process had to wait though it had something to do; that is next to nothing on a machine that is idle.
func Watch(t testing.TB) (stalled func() time.Duration) {
	var sum atomic.Int64
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for {
			due := time.Now().Add(every)
			select {
			case <-time.After(every):
			case <-done:
				return
			}
			sum.Add(int64(max(time.Since(due), 0)))
		}
	})
	t.Cleanup(func() {
		close(done)
		wg.Wait()
	})
	return func() time.Duration { return time.Duration(sum.Load()) }
}
