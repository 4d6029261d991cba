package wasmplugins

import (
	"context"
	"log/slog"
	"time"

	"octopus/sdk/spec"
)

// Info is what Check learned about a module.
type Info struct {
	// Size is in bytes, MemoryMin in bytes of the initial linear memory.
	Size      int64
	MemoryMin uint64
	Functions int
	// Imports are "module.name", sorted.
	Imports []string
	// HostCalls says whether octopus_v1 is imported.
	HostCalls bool
}

// Refusal says why a module is not run.
type Refusal struct {
	Code    string
	Message string
}

// Error is the sentence.
func (e *Refusal) Error() string { return e.Message }

// Digest is the identity of a module: "sha256:<hex>".
func Digest(module []byte) string { panic("not built yet") }

// Check scans a module before it is compiled. maxMemory is in bytes; 0 means
// MaxMemory. The error is *Refusal.
func Check(module []byte, maxMemory uint64) (Info, error) { panic("not built yet") }

// ManifestOf reads the custom section octopus.manifest.
func ManifestOf(module []byte) (spec.Manifest, error) { panic("not built yet") }

// Pack puts a manifest into a module, replacing one that is there.
func Pack(module, manifestJSON []byte) ([]byte, error) { panic("not built yet") }

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
