package wasmplugins

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"time"

	"octopus/wasmplugins/internal/frame"
)

// compileData is the most private memory of a compile child, in bytes.
const compileData = 1 << 30

// compilation is one module being checked and compiled; many may wait for it.
type compilation struct {
	turn turn
	done chan struct{}
	// Set before done is closed:
	took time.Duration
	err  error
}

// A module that did not compile is not tried again for this long, because what
// was too slow on a busy machine may pass later.
const refusedFor = 10 * time.Minute

const maxRefused = 256

type refusedModule struct {
	err   error
	until time.Time
}

// Prepare has a module checked and compiled, so that Run starts sooner.
// memory is the guest's limit in bytes; 0 means MaxMemory.
func (p *Pool) Prepare(ctx context.Context, digest string, memory uint64) (Prepared, error) {
	return p.prepare(ctx, form{digest: digest}, memory, false)
}

// PrepareAhead does so for what nobody waits for yet; counting is for jobs
// with fuel, which run another form of the module. While something is compiled
// that a job or Prepare waits for, this waits, or is stopped and begun again.
func (p *Pool) PrepareAhead(ctx context.Context, digest string, memory uint64, counting bool) (Prepared, error) {
	return p.prepare(ctx, form{digest, counting}, memory, true)
}

func (p *Pool) prepare(ctx context.Context, f form, memory uint64, ahead bool) (Prepared, error) {
	code, module, err := p.codeForm(ctx, f)
	if err != nil {
		return Prepared{}, err
	}
	if _, _, err := p.cache.find(code); err == nil {
		return Prepared{}, nil
	}
	if module == nil {
		if module, err = p.load(ctx, f.digest); err != nil {
			return Prepared{}, err
		}
	}
	if err := fitsMemory(module, orMaxMemory(memory)); err != nil {
		return Prepared{}, err
	}
	one, err := p.compiling(code, module, ahead)
	if err != nil {
		return Prepared{}, err
	}
	select {
	case <-one.done:
		return Prepared{Compiled: one.err == nil, CompileTime: one.took}, one.err
	case <-ctx.Done():
		return Prepared{}, context.Cause(ctx)
	}
}

func orMaxMemory(memory uint64) uint64 {
	if memory == 0 {
		return MaxMemory
	}
	return memory
}

// compiling joins or begins the compilation of a module's code. It outlives
// the caller that began it, because others may wait for it.
func (p *Pool) compiling(code form, module []byte, ahead bool) (*compilation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if r, ok := p.refused[code]; ok && time.Now().Before(r.until) {
		return nil, r.err
	}
	if one := p.compiles[code]; one != nil {
		if !ahead {
			p.turns.hurry(&one.turn)
		}
		return one, nil
	}
	one := &compilation{turn: turn{ahead: ahead}, done: make(chan struct{})}
	p.compiles[code] = one
	p.wg.Go(func() {
		one.took, one.err = p.compileInTurn(code, codeOf(module), &one.turn)
		p.mu.Lock()
		delete(p.compiles, code)
		p.mu.Unlock()
		close(one.done)
	})
	return one, nil
}

// compileInTurn compiles when it may, and again where it had to make room.
func (p *Pool) compileInTurn(code form, raw []byte, t *turn) (time.Duration, error) {
	for {
		ctx, err := p.turns.take(p.ctx, t)
		began := time.Now()
		if err == nil {
			err = p.compile(ctx, code, raw)
		}
		switch stopped := p.turns.give(t); {
		case p.ctx.Err() != nil:
			return 0, ErrClosed
		case stopped && errors.Is(err, errStopped):
			continue
		}
		return time.Since(began), err
	}
}

// remember keeps a refusal that took a compilation to find.
func (p *Pool) remember(f form, err error) {
	var r *Refusal
	if !errors.As(err, &r) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.refused) >= maxRefused {
		clear(p.refused)
	}
	p.refused[f] = refusedModule{err, time.Now().Add(refusedFor)}
}

// compile has a child compile code, which was checked, into a fresh folder.
func (p *Pool) compile(ctx context.Context, code form, raw []byte) error {
	fresh, err := os.MkdirTemp(p.cache.fresh, "")
	if err != nil {
		return fmt.Errorf("sandbox folder: %w", err)
	}
	defer func() { _ = removeAll(fresh) }()
	if err := lend(fresh, p.c.RunnerUID, p.c.RunnerGID); err != nil {
		return fmt.Errorf("sandbox folder: %w", err)
	}
	if err := p.compileInto(ctx, fresh, code, raw); err != nil {
		p.remember(code, err)
		return err
	}
	return p.cache.adopt(fresh, code)
}

func (p *Pool) compileInto(ctx context.Context, fresh string, code form, raw []byte) error {
	c, err := p.spawn(frame.Setup{Mode: "compile", Fuel: code.fuel, Cache: fresh, Data: compileData,
		CPU: uint64(math.Ceil(2 * p.c.CompileTimeout.Seconds()))}, raw)
	if err == nil {
		err = p.await(ctx, c, p.c.CompileTimeout)
	}
	if c != nil {
		defer c.end()
	}
	var said *helloError
	var late *lateError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said) && said.code == "compile":
		return refuse("malformed", "The module does not compile: %s", said.message)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case c != nil && c.outOfMemory():
		return refuse("too_complex", "The module takes more than %d MiB to compile. Split the plugin, or build it with optimisation.", compileData>>20)
	case errors.As(err, &late):
		return refuse("too_complex", "The module takes longer than %s to compile. Split the plugin, or build it with optimisation.", p.c.CompileTimeout)
	}
	return err
}
