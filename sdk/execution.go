package sdk

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"time"
)

// Execution is one agent's share of a run.
type Execution struct {
	ID            string          `json:"id" example:"exe_01kb2m3n4p5q6r7s8t9v0w1x2y"`
	RunID         string          `json:"run_id"`
	TaskID        string          `json:"task_id,omitempty"`
	TaskName      string          `json:"task_name,omitempty"`
	Plugin        string          `json:"plugin"`
	PluginVersion string          `json:"plugin_version"`
	Action        string          `json:"action"`
	Params        json.RawMessage `json:"params,omitempty" doc:"Secrets are masked. Left out in lists."`
	AgentID       string          `json:"agent_id,omitempty"`
	AgentName     string          `json:"agent_name,omitempty"`
	Status        string          `json:"status" enum:"queued,offered,running,succeeded,failed,timed_out,cancelled,lost,expired,rejected"`
	Silent        bool            `json:"silent" doc:"Running, but its agent is not heard."`
	Cancelling    bool            `json:"cancelling,omitempty" doc:"A cancel was asked for and is not yet confirmed."`
	Attempt       int             `json:"attempt"`
	MaxAttempts   int             `json:"max_attempts,omitempty"`
	Unsandboxed   bool            `json:"unsandboxed,omitempty" doc:"Its plugin may run commands or scripts outside the sandbox. Left out in lists."`
	DryRun        bool            `json:"dry_run,omitempty" doc:"Nothing was changed: see intents."`
	Sandbox       string          `json:"sandbox,omitempty" doc:"The least that its agent's sandbox must reach."`
	Clock         time.Time       `json:"clock,omitzero" doc:"Where the plugin's clock stood."`
	Seed          *uint64         `json:"seed,omitempty" doc:"What the plugin's random numbers came from."`
	Intents       []Intent        `json:"intents,omitempty" doc:"What a dry run would have done. Left out in lists."`
	Attempts      []Attempt       `json:"attempts,omitempty" doc:"Left out in lists."`
	LateResults   []LateResult    `json:"late_results,omitempty" doc:"Results that came when nobody waited for them any more: kept as evidence, they change nothing. Left out in lists."`
	Progress      *Progress       `json:"progress,omitempty"`
	Waiting       *Waiting        `json:"waiting,omitempty" doc:"Why it is queued."`
	Reason        *Reason         `json:"reason,omitempty" doc:"Why it ended as it did."`
	Response      *Response       `json:"response,omitempty" doc:"What the plugin answered. Left out in lists, but with a run that has one execution, up to 64 KiB."`
	StatusCode    int             `json:"status_code,omitempty" doc:"Of the response, also in lists."`
	Message       string          `json:"message,omitempty" doc:"Of the response, at most 300 bytes, also in lists."`
	LastLog       string          `json:"last_log,omitempty" doc:"The newest log line, shortened."`
	LogSeq        int64           `json:"log_seq,omitempty" doc:"Number of the newest log chunk."`
	Usage         *Usage          `json:"usage,omitempty"`
	RetryOf       string          `json:"retry_of,omitempty"`
	CreatedBy     string          `json:"created_by,omitempty"`
	CancelledBy   string          `json:"cancelled_by,omitempty"`
	CreatedAt     time.Time       `json:"created_at"`
	QueuedAt      time.Time       `json:"queued_at,omitzero" doc:"Start of the current wait."`
	OfferedAt     time.Time       `json:"offered_at,omitzero"`
	StartedAt     time.Time       `json:"started_at,omitzero"`
	FinishedAt    time.Time       `json:"finished_at,omitzero"`
	DurationMS    float64         `json:"duration_ms,omitempty" doc:"From the start of the plugin to its end."`
	Links         ExecutionLinks  `json:"links"`
}

// Intent is one thing that a dry run would have done.
type Intent struct {
	Op      string `json:"op" doc:"The host call, such as file.write; data for an operation of the response." example:"file.write"`
	Target  string `json:"target,omitempty" doc:"A URL, a path, a key, a command." example:"/srv/report.csv"`
	Message string `json:"message" example:"write 12 bytes to /srv/report.csv"`
}

// Ended reports whether the status is terminal: it never changes again.
func (x Execution) Ended() bool {
	return x.Status != "" && x.Status != "queued" && x.Status != "offered" && x.Status != "running"
}

// ExecutionLinks are addresses on the same server.
type ExecutionLinks struct {
	Logs      string `json:"logs"`
	Result    string `json:"result,omitempty"`
	Artifacts string `json:"artifacts"`
	UI        string `json:"ui"`
}

// Attempt is one try on one agent.
type Attempt struct {
	Number     int       `json:"number"`
	AgentID    string    `json:"agent_id"`
	AgentName  string    `json:"agent_name"`
	Status     string    `json:"status"`
	Reason     *Reason   `json:"reason,omitempty"`
	GoAt       time.Time `json:"go_at,omitzero"`
	StartedAt  time.Time `json:"started_at,omitzero"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

// Progress is how far a running execution says it is.
type Progress struct {
	Fraction float64 `json:"fraction" doc:"0 to 1."`
	Message  string  `json:"message,omitempty"`
}

// Waiting says why an execution is queued.
type Waiting struct {
	Code    string    `json:"code" doc:"no_agent, offline, busy, disabled, drained, sandbox or retry."`
	Message string    `json:"message"`
	Since   time.Time `json:"since,omitzero"`
}

// Reason says why something ended as it did.
type Reason struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Usage is what an execution cost.
type Usage struct {
	DownloadMS  float64 `json:"download_ms,omitempty"`
	CompileMS   float64 `json:"compile_ms,omitempty"`
	ReadyMS     float64 `json:"ready_ms,omitempty" doc:"From go to the start of the plugin, all included."`
	GuestMS     float64 `json:"guest_ms,omitempty" doc:"Time in the sandbox."`
	PeakMemory  uint64  `json:"peak_memory_bytes,omitempty"`
	HostCalls   int     `json:"host_calls,omitempty"`
	LogBytes    int64   `json:"log_bytes,omitempty"`
	OutputBytes int64   `json:"output_bytes,omitempty"`
	Fuel        uint64  `json:"fuel,omitempty" doc:"What the plugin executed, about one unit an instruction. Counted only where there is a limit."`
	FuelAtLeast bool    `json:"fuel_at_least,omitempty" doc:"It may have been more than fuel says: the plugin was killed, or it trapped."`
}

// Response is the plugin response: status_code, message and data, with optional additions.
type Response struct {
	StatusCode int                `json:"status_code"`
	Message    string             `json:"message"`
	Data       []Operation        `json:"data,omitempty"`
	Result     json.RawMessage    `json:"result,omitempty"`
	Metrics    map[string]float64 `json:"metrics,omitempty"`
	Error      *ResponseError     `json:"error,omitempty"`
}

// Operation is one entry of a response's data.
type Operation struct {
	Type       string          `json:"type" doc:"cache, file or db."`
	Name       string          `json:"name"`
	Value      json.RawMessage `json:"value,omitempty"`
	Encoding   string          `json:"encoding,omitempty"`
	TTLSeconds float64         `json:"ttl_seconds,omitempty"`
}

// ResponseError says more about a failure.
type ResponseError struct {
	Code              string          `json:"code,omitempty"`
	Retryable         *bool           `json:"retryable,omitempty"`
	RetryAfterSeconds float64         `json:"retry_after_seconds,omitempty"`
	Details           json.RawMessage `json:"details,omitempty"`
}

// Event is one line of an execution's timeline.
type Event struct {
	Kind       string    `json:"kind"`
	AgentID    string    `json:"agent_id,omitempty"`
	AgentName  string    `json:"agent_name,omitempty"`
	Message    string    `json:"message,omitempty"`
	DurationMS float64   `json:"duration_ms,omitempty"`
	Attempt    int       `json:"attempt,omitempty"`
	At         time.Time `json:"at"`
}

// NamedResult is one db operation of a response, kept with its execution.
type NamedResult struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
	At    time.Time       `json:"at"`
}

// LogLine is one line of a log. The last one of a follow has End and Status instead of text.
type LogLine struct {
	Seq    int64     `json:"seq,omitempty" doc:"Number of the chunk: what after_seq takes."`
	Time   time.Time `json:"time,omitzero"`
	Stream string    `json:"stream,omitempty" doc:"stderr or host."`
	Text   string    `json:"text"`
	End    bool      `json:"end,omitempty"`
	Status string    `json:"status,omitempty"`
}

// Execution returns one execution with its attempts and its response.
func (c *Client) Execution(ctx context.Context, id string, options ...CallOption) (x Execution, err error) {
	err = c.do(ctx, "GET", path("executions", id), nil, nil, &x, options...)
	return x, err
}

// Executions lists executions, newest first.
func (c *Client) Executions(ctx context.Context, f ExecutionFilter) (page Page[Execution], err error) {
	err = c.do(ctx, "GET", "/executions", f.values(), nil, &page)
	return page, err
}

// WaitExecution returns the execution when it has ended. When ctx ends before, it returns the execution as it
// was last seen, and the context's error.
func (c *Client) WaitExecution(ctx context.Context, id string) (x Execution, err error) {
	for {
		next, err := c.Execution(ctx, id, WithWait(waitStep))
		if err != nil {
			return x, cmp.Or(ctx.Err(), err)
		}
		if x = next; x.Ended() {
			return x, nil
		}
	}
}

// CancelExecution asks for an execution to end. It returns at once; the agent confirms later.
func (c *Client) CancelExecution(ctx context.Context, id string) (x Execution, err error) {
	err = c.do(ctx, "POST", path("executions", id, "cancel"), nil, nil, &x)
	return x, err
}

// ForceClose ends an execution at once, without its agent.
func (c *Client) ForceClose(ctx context.Context, id string) (x Execution, err error) {
	err = c.do(ctx, "POST", path("executions", id, "force-close"), nil, nil, &x)
	return x, err
}

// RetryExecution starts a new run of one execution.
func (c *Client) RetryExecution(ctx context.Context, id string, options ...CallOption) (run Run, err error) {
	err = c.do(ctx, "POST", path("executions", id, "retry"), nil, nil, &run, options...)
	return run, err
}

// ExecutionEvents is the timeline of an execution, oldest first.
func (c *Client) ExecutionEvents(ctx context.Context, id string) (page Page[Event], err error) {
	err = c.do(ctx, "GET", path("executions", id, "events"), nil, nil, &page)
	return page, err
}

// ExecutionResults are the named results ("db" operations) of an execution.
func (c *Client) ExecutionResults(ctx context.Context, id string) (page Page[NamedResult], err error) {
	err = c.do(ctx, "GET", path("executions", id, "results"), nil, nil, &page)
	return page, err
}

// DownloadResult returns the result as "json" or "csv".
func (c *Client) DownloadResult(ctx context.Context, id, format string) (data []byte, err error) {
	accept := func(r *call) { r.header.Set("Accept", "*/*") }
	err = c.do(ctx, "GET", path("executions", id, "result"), url.Values{"format": {format}}, nil, &data, accept)
	return data, err
}
