package bus

import (
	"sync"
	"sync/atomic"
)

// Subscription receives the hints of its topics. Its queue is bounded; when it is full the newest hint is
// dropped and Missed reports it once, so that the reader re-reads everything instead of trusting hints.
type Subscription struct {
	c      chan Hint
	topics []string    // static
	leave  func()      // static; nil when the bus was closed already
	missed atomic.Bool // a hint was dropped since Missed was last asked
	once   sync.Once   // closes c
}

// C returns the channel of hints. It is closed when the subscription or its bus is closed.
func (s *Subscription) C() <-chan Hint { return s.c }

// Missed reports whether a hint was dropped since the last call.
func (s *Subscription) Missed() bool { return s.missed.Swap(false) }

// Close ends the subscription and closes its channel. It is idempotent.
func (s *Subscription) Close() {
	if s.leave != nil {
		s.leave()
	}
}

// offer hands over a hint without blocking. The bus holds its lock, so that finish cannot run meanwhile.
func (s *Subscription) offer(hint Hint) {
	select {
	case s.c <- hint:
	default:
		s.missed.Store(true)
	}
}

func (s *Subscription) finish() { s.once.Do(func() { close(s.c) }) }
