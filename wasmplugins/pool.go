package wasmplugins

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"octopus/wasmplugins/internal/cgroup"
)

// PoolConfig says where and how runners work.
type PoolConfig struct {
	// Dir holds the compilation cache and spilled output. Created 0700.
	Dir string
	// Executable is the argv that starts a runner. Defaults to this
	// program with the argument "runner".
	Executable []string
	// MaxRunners caps child processes, compile children aside. Defaults
	// to 8. A job beyond it waits for a runner, first come, first served.
	MaxRunners int
	// MaxMemory caps the sum of what runners may use, in bytes: each counts
	// with its guest's limit and 48 MiB. Defaults to no cap; one runner may
	// always run.
	MaxMemory int64
	// IdleAfter ends a runner that had nothing to do. Defaults to 60 s.
	IdleAfter time.Duration
	// CompileTimeout ends a compile child. Defaults to 60 s.
	CompileTimeout time.Duration
	// Load returns a module by digest. The pool verifies the digest.
	Load func(ctx context.Context, digest string) ([]byte, error)
	// Log gets what operators should know. Defaults to silence.
	Log *slog.Logger
	// RunnerUID and RunnerGID are who runners become where this process is
	// root on Linux. Default to 64917, which no distribution gives away.
	RunnerUID, RunnerGID int
	// Uncontained leaves out the lock-down, for tests that debug it.
	Uncontained bool
}

const defaultRunnerID = 64917

func (c PoolConfig) withDefaults() (PoolConfig, error) {
	if c.Dir == "" || c.Load == nil {
		return c, errors.New("a pool needs Dir and Load")
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, err
	}
	c.Dir = dir
	if len(c.Executable) == 0 {
		self, err := os.Executable()
		if err != nil {
			return c, fmt.Errorf("path of this program: %w", err)
		}
		c.Executable = []string{self, "runner"}
	}
	if c.MaxRunners <= 0 {
		c.MaxRunners = 8
	}
	if c.IdleAfter <= 0 {
		c.IdleAfter = time.Minute
	}
	if c.CompileTimeout <= 0 {
		c.CompileTimeout = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.RunnerUID == 0 {
		c.RunnerUID = defaultRunnerID
	}
	if c.RunnerGID == 0 {
		c.RunnerGID = defaultRunnerID
	}
	return c, nil
}

// ErrClosed is what a closed pool answers.
var ErrClosed = errors.New("the sandbox is shut down")

// Pool starts, keeps and kills runners. Its methods may be called from any
// goroutine.
type Pool struct {
	c       PoolConfig
	starter *starter
	cache   *cache
	level   Level
	network string          // static: this process's network namespace, "" where it is not known
	apart   bool            // static: runners have one of their own
	groups  *cgroup.Groups  // static: nil where this process may make none
	ctx     context.Context // ends with Close
	stop    context.CancelFunc
	wg      sync.WaitGroup // the janitor, compilations, and one waiter per child

	mu       sync.Mutex
	closed   bool
	idle     []*child // the last one was used last
	children map[*child]struct{}
	count    int   // runners, and places reserved for starting ones
	memory   int64 // what they count
	waiting  []chan struct{}
	compiles map[form]*compilation
	// refused remembers modules that would not compile, so that a bomb
	// costs its time once; emptied when it holds maxRefused.
	refused map[form]refusedModule
	// codes are the digests of what is compiled of modules, by theirs.
	codes map[string]string

	turns turns // of compilations
}

// NewPool makes the folders and probes the sandbox by starting one runner.
// The caller calls Close.
func NewPool(c PoolConfig) (*Pool, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Pool{c: c, children: map[*child]struct{}{}, compiles: map[form]*compilation{}, refused: map[form]refusedModule{},
		codes: map[string]string{}, turns: turns{free: max(1, runtime.NumCPU()/4)}}
	if p.cache, err = newCache(c.Dir); err != nil {
		return nil, err
	}
	killRecorded(filepath.Join(c.Dir, "runners"))
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.starter = newStarter()
	p.network = networkNamespace()
	if p.level, err = p.reach(); err != nil {
		p.Close()
		return nil, fmt.Errorf("runner: %w", err)
	}
	p.wg.Go(p.janitor)
	return p, nil
}

// Close kills and reaps every runner, and returns when all have ended. Jobs
// in flight end as cancelled. It may be called again.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.stop() // first: a job whose runner is killed looks here why
	for c := range p.children {
		c.kill()
	}
	for _, w := range p.waiting {
		close(w)
	}
	p.waiting = nil
	p.mu.Unlock()
	p.wg.Wait()
	p.starter.close()
	p.groups.Close()
	return nil
}

// janitor ends runners that were idle for too long.
func (p *Pool) janitor() {
	tick := time.NewTicker(max(p.c.IdleAfter/4, 10*time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case now := <-tick.C:
			p.mu.Lock()
			for len(p.idle) > 0 && now.Sub(p.idle[0].idleSince) >= p.c.IdleAfter {
				p.dropIdle(0)
			}
			p.mu.Unlock()
		}
	}
}

// dropIdle kills an idle runner and gives its place back. p.mu is held.
func (p *Pool) dropIdle(i int) {
	c := p.idle[i]
	p.idle = append(p.idle[:i], p.idle[i+1:]...)
	p.forget(c)
	c.kill()
}

// forget gives a runner's place to the next waiter. p.mu is held.
func (p *Pool) forget(c *child) {
	if !c.counted {
		return
	}
	c.counted = false
	p.count--
	p.memory -= c.key.cost()
	p.wake()
}

// wake lets the first waiter look again. p.mu is held.
func (p *Pool) wake() {
	if len(p.waiting) > 0 {
		close(p.waiting[0])
		p.waiting = p.waiting[1:]
	}
}
