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
	if _, _, err := p.cache.find(digest); err == nil {
		return Prepared{}, nil
	} else if !errors.Is(err, errNotCompiled) && !digestShape.MatchString(digest) {
		return Prepared{}, err
	}
	one, err := p.compiling(digest, memory)
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

// compiling joins or begins the compilation of a module. It outlives the
// caller that began it, because others may wait for it.
func (p *Pool) compiling(digest string, memory uint64) (*compilation, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	if r, ok := p.refused[digest]; ok && time.Now().Before(r.until) {
		return nil, r.err
	}
	if one := p.compiles[digest]; one != nil {
		return one, nil
	}
	one := &compilation{done: make(chan struct{})}
	p.compiles[digest] = one
	p.wg.Go(func() {
		one.took, one.err = p.compileInTurn(digest, memory)
		p.mu.Lock()
		delete(p.compiles, digest)
		p.mu.Unlock()
		close(one.done)
	})
	return one, nil
}

// compileInTurn waits until few enough modules are being compiled.
func (p *Pool) compileInTurn(digest string, memory uint64) (time.Duration, error) {
	select {
	case p.compileSlots <- struct{}{}:
		defer func() { <-p.compileSlots }()
	case <-p.ctx.Done():
		return 0, ErrClosed
	}
	began := time.Now()
	err := p.compile(digest, memory)
	return time.Since(began), err
}

// remember keeps a refusal that took a compilation to find.
func (p *Pool) remember(digest string, err error) {
	var r *Refusal
	if !errors.As(err, &r) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.refused) >= maxRefused {
		clear(p.refused)
	}
	p.refused[digest] = refusedModule{err, time.Now().Add(refusedFor)}
}

// compile checks a module and has a child compile it into a fresh folder.
func (p *Pool) compile(digest string, memory uint64) error {
	module, err := p.load(p.ctx, digest)
	if err != nil {
		return err
	}
	if _, err := Check(module, memory); err != nil {
		return err
	}
	fresh, err := os.MkdirTemp(p.cache.fresh, "")
	if err != nil {
		return fmt.Errorf("sandbox folder: %w", err)
	}
	defer func() { _ = removeAll(fresh) }()
	if err := lend(fresh, p.c.RunnerUID, p.c.RunnerGID); err != nil {
		return fmt.Errorf("sandbox folder: %w", err)
	}
	if err := p.compileInto(fresh, module); err != nil {
		p.remember(digest, err)
		return err
	}
	return p.cache.adopt(fresh, digest)
}

func (p *Pool) compileInto(fresh string, module []byte) error {
	c, err := p.spawn(frame.Setup{Mode: "compile", Cache: fresh, Data: compileData,
		CPU: uint64(math.Ceil(2 * p.c.CompileTimeout.Seconds()))}, module)
	if err == nil {
		err = p.await(p.ctx, c, p.c.CompileTimeout)
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
	case p.ctx.Err() != nil:
		return ErrClosed
	case c != nil && c.outOfMemory():
		return refuse("too_complex", "The module takes more than %d MiB to compile. Split the plugin, or build it with optimisation.", compileData>>20)
	case errors.As(err, &late):
		return refuse("too_complex", "The module takes longer than %s to compile. Split the plugin, or build it with optimisation.", p.c.CompileTimeout)
	}
	return err
}
