package dispatch

import (
	"context"
	"encoding/json"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// Submission is work that somebody wants to run.
type Submission struct {
	octopus.Work
	Task    *octopus.Task // nil: ad hoc
	Labels  map[string]string
	By      string // user name
	Source  string // "ui", "api", "cli", "schedule", "demo"
	RetryOf string // the run that this one repeats
	Key     *store.Idempotency

	// Agents names the agents of a retry, one execution each, instead of resolving the target. Defaults to none.
	Agents []string
}

// Submit checks the work, resolves its target, stores the run and offers what it can at once. replay: Key was used
// before with the same body, and run is the first answer. After it returned without error the run is durable.
func (d *Dispatcher) Submit(ctx context.Context, s Submission) (run octopus.Run, replay bool, err error) {
	panic("not built yet")
}

// RunTask submits a saved task. params that are not nil replace the task's own.
func (d *Dispatcher) RunTask(ctx context.Context, idOrName string, params json.RawMessage, by, source string, key *store.Idempotency) (octopus.Run, bool, error) {
	panic("not built yet")
}

// Cancel asks for an execution to end: at once before its go, else as soon as its agent confirms. It is a durable
// intent, repeated until the agent has it. An execution that has ended is CodeConflict.
func (d *Dispatcher) Cancel(ctx context.Context, executionID, by string) (octopus.Execution, error) {
	panic("not built yet")
}

// CancelRun cancels every execution of a run that lives.
func (d *Dispatcher) CancelRun(ctx context.Context, runID, by string) (octopus.Run, error) {
	panic("not built yet")
}

// ForceClose ends an execution at once, without its agent. What the agent reports later is kept as evidence.
func (d *Dispatcher) ForceClose(ctx context.Context, executionID, by string) (octopus.Execution, error) {
	panic("not built yet")
}

// Retry starts a new run of one execution, with retry_of; bound to the same agent where the target named it.
func (d *Dispatcher) Retry(ctx context.Context, executionID, by, source string, key *store.Idempotency) (octopus.Run, bool, error) {
	panic("not built yet")
}

// RetryRun starts a new run of what a run did; with onlyFailed of those executions that did not succeed.
func (d *Dispatcher) RetryRun(ctx context.Context, runID string, onlyFailed bool, by, source string, key *store.Idempotency) (octopus.Run, bool, error) {
	panic("not built yet")
}

// WaitRun returns the run when it has ended, or as it is after at most max.
func (d *Dispatcher) WaitRun(ctx context.Context, runID string, max time.Duration) (octopus.Run, error) {
	panic("not built yet")
}

// WaitExecution does the same for one execution.
func (d *Dispatcher) WaitExecution(ctx context.Context, executionID string, max time.Duration) (octopus.Execution, error) {
	panic("not built yet")
}

// RestartAgent asks an agent's process to finish what runs and start again. CodeConflict when it is not connected
// to this server.
func (d *Dispatcher) RestartAgent(ctx context.Context, agentID, by string) error {
	panic("not built yet")
}
