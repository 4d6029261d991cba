package wasmplugins

import (
	"context"
	"fmt"
	"math"
	"time"

	"octopus/wasmplugins/internal/frame"
)

const (
	// runnerData is what a runner may map beside guest memory and code, in
	// bytes: some 40 MB for Go and its heap, 32 MB that crypto/internal/fips140
	// has zeroed and never touches, and a guest's stack, which doubles from
	// 10 KB to 84 MB before wazero calls it an overflow. Where the garbage
	// collector had no time meanwhile all of its sizes are still there: 168 MB.
	// The image of an initialised reactor takes up to 32 MB.
	runnerData = 320 << 20
	// runnerCPU is the processor time of a runner. It is the last resort
	// where this process and the parent-death signal both failed.
	runnerCPU = time.Hour
	// worn is the guest time after which a runner is replaced, so that it
	// stays far from runnerCPU.
	worn = 20 * time.Minute
	// readyIn is how long a runner may take to load its module.
	readyIn = 30 * time.Second
)

// acquire returns a runner that has the module ready: an idle one, the last
// used first, or a new one. It waits while the pool is full.
func (p *Pool) acquire(ctx context.Context, k key, timeout time.Duration) (c *child, warm bool, err error) {
	for {
		c, wait, err := p.take(k, timeout)
		switch {
		case err != nil:
			return nil, false, err
		case c != nil:
			return c, true, nil
		case wait == nil:
			c, err := p.start(ctx, k, timeout)
			return c, false, err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			p.leave(wait)
			return nil, false, context.Cause(ctx)
		}
	}
}

// take returns an idle runner, or reserves a place for a new one (nil, nil),
// or says what to wait for.
func (p *Pool) take(k key, timeout time.Duration) (*child, chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, ErrClosed
	}
	if c := p.takeIdle(k, timeout); c != nil {
		return c, nil, nil
	}
	for !p.fits(k) && len(p.idle) > 0 {
		p.dropIdle(0) // the one that waited longest
	}
	if p.fits(k) {
		p.count++
		p.memory += k.cost()
		return nil, nil, nil
	}
	wait := make(chan struct{})
	p.waiting = append(p.waiting, wait)
	return nil, wait, nil
}

// takeIdle returns the last used idle runner for k, or nil. p.mu is held.
func (p *Pool) takeIdle(k key, timeout time.Duration) *child {
	for i := len(p.idle) - 1; i >= 0 && !p.closed; i-- {
		if c := p.idle[i]; c.key == k && c.cpu-c.used > 2*timeout {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			c.idling = false
			return c
		}
	}
	return nil
}

// fits says whether one more runner may start. p.mu is held.
func (p *Pool) fits(k key) bool {
	if p.count >= p.c.MaxRunners {
		return false
	}
	return p.c.MaxMemory == 0 || p.count == 0 || p.memory+k.cost() <= p.c.MaxMemory
}

// leave takes a waiter out of the line; one that was just woken passes it on.
func (p *Pool) leave(wait chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, w := range p.waiting {
		if w == wait {
			p.waiting = append(p.waiting[:i], p.waiting[i+1:]...)
			return
		}
	}
	p.wake()
}

// release puts a runner back, or ends it when it is worn or the pool closed.
func (p *Pool) release(c *child) {
	p.mu.Lock()
	select {
	case <-c.gone:
		p.mu.Unlock()
		c.end()
		return
	default:
	}
	if p.closed || c.used > worn || c.key.repeat.on() {
		p.forget(c)
		p.mu.Unlock()
		c.end()
		return
	}
	c.idleSince = time.Now()
	c.idling = true
	p.idle = append(p.idle, c)
	p.wake()
	p.mu.Unlock()
}

// discard ends a runner that the caller owns.
func (p *Pool) discard(c *child) {
	c.end()
	p.mu.Lock()
	p.forget(c)
	p.mu.Unlock()
}

// start starts a runner for a place that take reserved.
func (p *Pool) start(ctx context.Context, k key, timeout time.Duration) (*child, error) {
	c, err := p.startWith(ctx, k, timeout)
	if err != nil {
		p.mu.Lock()
		p.count--
		p.memory -= k.cost()
		p.wake()
		p.mu.Unlock()
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-c.gone: // died since it was ready
		p.count--
		p.memory -= k.cost()
		p.wake()
		c.out.Close()
		return nil, c.why(errGone)
	default:
	}
	c.counted = true
	return c, nil
}

func (p *Pool) startWith(ctx context.Context, k key, timeout time.Duration) (*child, error) {
	module, err := p.load(ctx, k.digest)
	if err != nil {
		return nil, err
	}
	if err := fitsMemory(module, k.memory); err != nil {
		return nil, err
	}
	compiled, _, err := p.codeForm(ctx, k.form)
	if err != nil {
		return nil, err
	}
	folder, code, err := p.cache.find(compiled)
	if err != nil {
		return nil, err
	}
	at, script, err := scriptIn(module)
	if err != nil {
		return nil, err
	}
	cpu := max(runnerCPU, 3*timeout)
	s := frame.Setup{Mode: "run", ScriptAt: at, ScriptSize: script, Memory: k.memory, Fuel: k.fuel, Cache: folder, CPU: uint64(math.Ceil(cpu.Seconds())),
		Data: uint64(runnerData) + k.memory + 2*uint64(code) + 6*uint64(len(module))}
	s.Repeat = k.repeat.setup()
	if k.fuel {
		s.Data += 6 * uint64(len(module)) // the other form of it, while that is made
	}
	c, err := p.spawn(s, module)
	if err == nil {
		c.key = k
		err = p.await(ctx, c, readyIn)
	}
	if err != nil {
		if c != nil {
			c.end()
		}
		return nil, err
	}
	return c, nil
}

// await waits for a runner's Hello, but not longer than limit or ctx.
func (p *Pool) await(ctx context.Context, c *child, limit time.Duration) error {
	late := &lateError{limit}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, late)
	defer cancel()
	stop := context.AfterFunc(ctx, c.kill)
	defer stop()
	err := c.ready()
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// lateError is a runner that took too long to get ready.
type lateError struct{ limit time.Duration }

func (e *lateError) Error() string { return fmt.Sprintf("the runner was not ready within %s", e.limit) }

// load gets a module and verifies that it is the one.
func (p *Pool) load(ctx context.Context, digest string) ([]byte, error) {
	module, err := p.c.Load(ctx, digest)
	if err != nil {
		return nil, fmt.Errorf("module %s: %w", digest, err)
	}
	if got := Digest(module); got != digest {
		return nil, &DigestMismatch{Want: digest, Got: got}
	}
	return module, nil
}

// DigestMismatch is a module that is not the one that was asked for.
type DigestMismatch struct{ Want, Got string }

// Error is the sentence.
func (e *DigestMismatch) Error() string {
	return fmt.Sprintf("The module should be %s, but is %s. Download it again.", e.Want, e.Got)
}
