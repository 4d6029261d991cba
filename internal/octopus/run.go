package octopus

import (
	"encoding/json"
	"time"
)

// Run is one firing of a task, or of ad-hoc work: a snapshot with its executions.
type Run struct {
	ID           string
	TaskID       string // "" for ad-hoc work
	TaskName     string
	TaskRevision int64
	Work                // snapshot: Version is the exact version it was resolved to
	Digest       string // of the plugin version
	Labels       map[string]string
	RetryOf      string    // the run that this one repeats
	CreatedBy    string    // user name
	Source       string    // "ui", "api", "cli", "schedule", "demo"
	Counts       Counts    // executions by state
	Total        int       // executions planned; more than Counts.Total() while a fan-out is being inserted
	LeftOut      []LeftOut // agents that the target named but that do not run it, with the reason
	CreatedAt    time.Time
	StartedAt    time.Time
	FinishedAt   time.Time
}

// Status computes the run's state.
func (r Run) Status() RunStatus {
	if n := r.Counts.Total(); n < r.Total && r.Counts.Live() == 0 && n > 0 {
		return RunRunning // more executions are still being inserted
	}
	return r.Counts.RunStatus()
}

// LeftOut is an agent that a target left out, and why.
type LeftOut struct {
	AgentID   string
	AgentName string
	Reason    string
}

// Execution is one agent's share of a run.
type Execution struct {
	ID            string
	RunID         string
	TaskID        string
	TaskName      string
	Plugin        string
	PluginVersion string
	Digest        string
	Action        string
	Params        json.RawMessage // nil in lists
	Mode          TargetMode
	BoundAgent    string   // all and agent: the only agent that may run it
	Pool          string   // any: the canonical selector of those that may
	Excluded      []string // agents that refused it for good
	AgentID       string   // of the latest offer
	AgentName     string

	Status      Status
	Silent      bool  // running, but its agent is not heard
	Cancelling  bool  // a cancel was asked for and is not yet confirmed
	Fence       int64 // grows at each offer, withdrawal, loss and force-close
	Attempt     int   // grows at each go
	MaxAttempts int
	OnLost      OnLost
	Idempotent  bool
	DryRun      bool
	OnTrial     bool // how it ends counts when versions in rings are compared
	Priority    int
	Memory      uint64       // the sandbox's limit in bytes
	Fuel        uint64       // how much the plugin may execute, about one an instruction; 0: no limit, and nothing is counted
	Sandbox     SandboxLevel // the least that its agent must reach; "": any
	Repeat
	Timeout   time.Duration
	LostAfter time.Duration

	Progress *Progress
	Waiting  *Waiting // why it is queued; nil otherwise
	Reason   *Reason  // why it ended as it did; nil while it lives and on plain success

	Response   json.RawMessage // the plugin response as recorded; nil until one came, and in lists
	StatusCode int             // of the response
	Message    string          // of the response, at most 300 bytes in lists
	LastLog    string          // last log line, at most 200 bytes: for feeds
	LogSeq     int64           // sequence of the newest stored log chunk
	Usage      Usage

	CreatedAt  time.Time
	QueuedAt   time.Time // of the current wait
	OfferedAt  time.Time
	GoAt       time.Time // the accept was committed
	StartedAt  time.Time // the guest started: GoAt plus what the agent says it took to get ready
	FinishedAt time.Time

	OfferExpiresAt time.Time // timers: zero when not armed
	DeadlineAt     time.Time
	NotBefore      time.Time
	WaitUntil      time.Time
	CancelledAt    time.Time // when the cancel was asked for
	CancelledBy    string
	RetryOf        string
	CreatedBy      string
}

// Duration is the time from the start of the guest to the end, 0 before both are known.
func (x Execution) Duration() time.Duration {
	if x.StartedAt.IsZero() || x.FinishedAt.IsZero() {
		return 0
	}
	return x.FinishedAt.Sub(x.StartedAt)
}

// Progress is how far a running execution says it is.
type Progress struct {
	Fraction float64 // 0 to 1
	Message  string
}

// Waiting says why an execution is queued. Codes: no_agent, offline, busy, disabled, drained, sandbox, retry.
type Waiting struct {
	Code    string
	Message string
	Since   time.Time
}

// Reason says why an execution ended as it did, for machines and for people.
type Reason struct {
	Code    string
	Message string
}

// Usage is what one execution cost.
type Usage struct {
	DownloadTime time.Duration // fetching the module, 0 when it was there
	CompileTime  time.Duration // 0 when cached
	ReadyTime    time.Duration // waiting for a runner, all included
	GuestTime    time.Duration
	PeakMemory   uint64
	HostCalls    int
	LogBytes     int64
	OutputBytes  int64
	Fuel         uint64 // 0: not counted
	FuelAtLeast  bool   // it may have been more: the guest was killed, or it trapped
}

// Attempt is one try of an execution on one agent.
type Attempt struct {
	ExecutionID string
	Number      int
	Fence       int64
	AgentID     string
	AgentName   string
	Status      Status // Running until it ended
	Reason      *Reason
	GoAt        time.Time
	StartedAt   time.Time
	FinishedAt  time.Time
}

// Event is one line of an execution's timeline.
type Event struct {
	ID          int64
	ExecutionID string
	Kind        string // queued, offered, withdrawn, rejected, accepted, prepared, started, cancel_requested, ended, late_result …
	AgentID     string
	AgentName   string
	Message     string // one sentence
	Duration    time.Duration
	Attempt     int
	At          time.Time
}

// NamedResult is one db operation of a response, kept with its execution.
type NamedResult struct {
	ExecutionID string
	Name        string
	Value       json.RawMessage
	At          time.Time
}

// LogChunk is a stretch of an execution's log, at most 64 KiB. A chunk holds whole lines.
type LogChunk struct {
	ExecutionID string
	Attempt     int
	Seq         int64  // 1, 2, 3 … within the execution, over all attempts
	Stream      string // "stderr" or "host"
	Lines       []LogLine
}

// LogLine is one line of a log.
type LogLine struct {
	At   time.Time
	Text string
}
