package wasmplugins

import (
	"context"
	"log/slog"
	"time"
)

// PoolConfig says where and how runners work.
type PoolConfig struct {
	// Dir holds the compilation cache and spilled output. Created 0700.
	Dir string
	// Executable is the argv that starts a runner. Defaults to this
	// program with the argument "runner".
	Executable []string
	// MaxRunners caps child processes. Defaults to 8.
	MaxRunners int
	// MaxMemory caps the sum of what runners may use, in bytes. Defaults
	// to no cap.
	MaxMemory int64
	// IdleAfter ends a runner that had nothing to do. Defaults to 60 s.
	IdleAfter time.Duration
	// Load returns a module by digest. The pool verifies the digest.
	Load func(ctx context.Context, digest string) ([]byte, error)
	// Log gets what operators should know. Defaults to silence.
	Log *slog.Logger
	// Uncontained leaves out the lock-down, for tests that debug it.
	Uncontained bool
}

// Pool starts, keeps and kills runners.
type Pool struct{}

// NewPool probes the sandbox by starting one runner.
func NewPool(c PoolConfig) (*Pool, error) { panic("not built yet") }

// Close kills and reaps every runner. It may be called again.
func (p *Pool) Close() error { panic("not built yet") }

// Prepare has a module checked and compiled, so that Run starts sooner.
func (p *Pool) Prepare(ctx context.Context, digest string, memory uint64) (Prepared, error) {
	panic("not built yet")
}

// Run executes a job and returns when it has ended. Cancelling ctx kills the
// runner at once.
func (p *Pool) Run(ctx context.Context, job Job, broker Broker) Outcome { panic("not built yet") }

// Level is how well this machine can contain a runner: "full", "filtered",
// "process" or "basic", with what is there and what is not, in words.
type Level struct {
	Name    string   `json:"name"`
	Has     []string `json:"has"`
	Missing []string `json:"missing"`
}

// Level was probed when the pool started.
func (p *Pool) Level() Level { panic("not built yet") }

// RunnerMain is the command "octopus runner". It returns an exit code.
func RunnerMain(args []string) int { panic("not built yet") }
