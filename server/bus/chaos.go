package bus

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Chaos is a bus for tests that does all that a bus may do: it loses a third of the hints, doubles a third, and lets
// each come up to a second late, so that they overtake each other. What holds on it holds on any bus.
type Chaos struct {
	*Local
	mu     sync.Mutex
	random *rand.Rand // guarded by mu
	wg     sync.WaitGroup
	done   chan struct{}
	once   sync.Once
}

// chaosDelay is the longest time that a hint is late.
const chaosDelay = time.Second

// NewChaos returns a bus whose behaviour is drawn from seed.
func NewChaos(seed uint64) *Chaos {
	return &Chaos{Local: NewLocal(), random: rand.New(rand.NewPCG(seed, 0)), done: make(chan struct{})}
}

// Publish delivers each hint never, once or twice, each time late.
func (c *Chaos) Publish(hints ...Hint) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
		return
	default:
	}
	for _, hint := range hints {
		for range c.random.IntN(3) {
			late := time.Duration(c.random.Int64N(int64(chaosDelay)))
			c.wg.Go(func() {
				timer := time.NewTimer(late)
				defer timer.Stop()
				select {
				case <-timer.C:
					c.Local.Publish(hint)
				case <-c.done:
				}
			})
		}
	}
}

// Close forgets what is late and closes the bus.
func (c *Chaos) Close() {
	c.mu.Lock()
	c.once.Do(func() { close(c.done) })
	c.mu.Unlock()
	c.wg.Wait()
	c.Local.Close()
}
