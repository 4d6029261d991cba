package runner

import (
	"encoding/binary"
	"math/rand/v2"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/sys"

	"octopus/wasmplugins/internal/frame"
)

// tick is how far a frozen clock moves each time that it is read: who waits
// for it in a loop does not wait for ever.
const tick = time.Microsecond

// repeat gives the guest a clock and random numbers that are the same each
// time. The runner serves one execution.
func (g *guest) repeat(r frame.Repeat) {
	if r.ClockNS != nil {
		c := &frozen{at: time.Unix(0, *r.ClockNS), instant: r.Instant, flush: g.logs.Flush}
		g.base = c.into(g.base)
	}
	if r.Seed != nil {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], *r.Seed)
		g.base = g.base.WithRandSource(rand.NewChaCha8(key))
	}
}

// frozen is a clock that moves by tick where it is read, and by what the guest
// sleeps. Only the guest's goroutine uses it.
type frozen struct {
	at      time.Time
	passed  time.Duration
	instant bool // sleeping takes no time
	flush   func()
}

func (c *frozen) into(config wazero.ModuleConfig) wazero.ModuleConfig {
	return config.
		WithWalltime(func() (int64, int32) {
			now := c.at.Add(c.read())
			return now.Unix(), int32(now.Nanosecond())
		}, sys.ClockResolution(tick)).
		WithNanotime(func() int64 { return int64(c.read()) }, sys.ClockResolution(tick)).
		WithNanosleep(func(ns int64) {
			c.flush()
			c.passed += time.Duration(ns)
			if !c.instant {
				time.Sleep(time.Duration(ns))
			}
		})
}

func (c *frozen) read() time.Duration {
	c.passed += tick
	return c.passed
}
