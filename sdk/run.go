package sdk

import (
	"cmp"
	"context"
	"encoding/json"
	"time"
)

// Target says which agents run something. The zero value is any one agent.
type Target struct {
	Mode     string `json:"mode,omitempty" enum:"any,all,agent" doc:"any: the first that are free. all: every agent that matches when the run starts. agent: one, by name or id. Left out: any."`
	Count    int    `json:"count,omitempty" minimum:"0" maximum:"10000" doc:"any: how many agents. Left out: 1."`
	Agent    string `json:"agent,omitempty" maxLength:"128" doc:"agent: its name or id."`
	Selector string `json:"selector,omitempty" maxLength:"2048" example:"env=prod,role in (web,db)" doc:"any and all: labels that an agent must have. Left out: every agent."`
}

// Work is what a saved task and an ad-hoc run have in common: the plugin call and its policies.
type Work struct {
	Plugin           string          `json:"plugin" minLength:"1" maxLength:"64" example:"http-check" doc:"Name of the plugin."`
	Version          string          `json:"version,omitempty" maxLength:"64" doc:"An exact version, a range such as ^1.2, or a ring: canary, early, all. Left out: the newest that the run's ring has."`
	Action           string          `json:"action" minLength:"1" maxLength:"64" example:"check" doc:"One of the plugin's actions."`
	Params           json.RawMessage `json:"params,omitempty" example:"{\"url\": \"https://example.com\"}" doc:"Parameters as the action's JSON Schema wants them."`
	Target           Target          `json:"target,omitzero"`
	TimeoutSeconds   float64         `json:"timeout_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"Of one attempt, from the start of the plugin. Left out: what the plugin says."`
	DeadlineSeconds  float64         `json:"deadline_seconds,omitempty" minimum:"0" maximum:"31536000" doc:"Over all attempts, from creation."`
	WaitTTLSeconds   float64         `json:"wait_ttl_seconds,omitempty" minimum:"0" maximum:"31536000" doc:"How long to wait for an agent. Left out: one hour, and a day for mode agent."`
	LostAfterSeconds float64         `json:"lost_after_seconds,omitempty" minimum:"0" maximum:"2592000" doc:"Silence of the agent before a started execution counts as lost."`
	OnLost           string          `json:"on_lost,omitempty" enum:"fail,retry" doc:"retry starts again elsewhere; only for actions that say they are idempotent. Left out: fail."`
	MaxAttempts      int             `json:"max_attempts,omitempty" minimum:"0" maximum:"100" doc:"Left out: 1."`
	Priority         int             `json:"priority,omitempty" minimum:"-1000" maximum:"1000" doc:"Higher first."`
	DryRun           bool            `json:"dry_run,omitempty" doc:"The agent records what would change something, and answers the plugin as if it were done."`
	Fuel             int64           `json:"fuel,omitempty" minimum:"0" doc:"How much the plugin may execute, about one unit an instruction; then it ends with out_of_fuel. Left out: what the plugin says, which is no limit unless it names one."`
	Sandbox          string          `json:"sandbox,omitempty" enum:"basic,process,filtered,full" doc:"The least that the sandbox of an agent must reach for it to run there. Left out: any."`
	Clock            time.Time       `json:"clock,omitzero" pattern:"^([^0]|$)" patternDescription:"a time between the years 1678 and 2261" doc:"Where the plugin's clock stands, as in 2026-01-01T00:00:00Z; sleeping moves it. Left out: the real clock."`
	Seed             *uint64         `json:"seed,omitempty" doc:"What the plugin's random numbers come from: the same each time. Left out: real ones."`
}

// StartRun is the body of POST /runs: run a plugin now, without a saved task.
type StartRun struct {
	Work
	Labels map[string]string `json:"labels,omitempty" doc:"Free labels, kept with the run."`
}

// Run is one firing of a task, or of ad-hoc work. Status is computed from its executions; it failed when any of
// them ended other than succeeded.
type Run struct {
	ID            string            `json:"id" example:"run_01kb2m3n4p5q6r7s8t9v0w1x2y"`
	TaskID        string            `json:"task_id,omitempty"`
	TaskName      string            `json:"task_name,omitempty"`
	TaskRevision  int64             `json:"task_revision,omitempty"`
	Plugin        string            `json:"plugin"`
	PluginVersion string            `json:"plugin_version" doc:"The exact version that it was resolved to."`
	Action        string            `json:"action"`
	Params        json.RawMessage   `json:"params,omitempty" doc:"Secrets are masked. Left out in lists."`
	Target        Target            `json:"target"`
	Labels        map[string]string `json:"labels,omitempty"`
	DryRun        bool              `json:"dry_run,omitempty"`
	Status        string            `json:"status" enum:"queued,running,succeeded,failed,cancelled"`
	Outcome       string            `json:"outcome,omitempty" doc:"The worst status that an execution ended with."`
	Counts        map[string]int    `json:"counts" doc:"Executions by status."`
	Total         int               `json:"total" doc:"Executions planned."`
	LeftOut       []LeftOut         `json:"left_out,omitempty" doc:"Agents that the target named but that do not run it."`
	Executions    []Execution       `json:"executions,omitempty" doc:"The first 100, failures first. Left out in lists."`
	ExecutionsURL string            `json:"executions_url"`
	RetryOf       string            `json:"retry_of,omitempty"`
	CreatedBy     string            `json:"created_by,omitempty"`
	Source        string            `json:"source,omitempty" doc:"ui, api, cli, schedule or demo."`
	CreatedAt     time.Time         `json:"created_at"`
	StartedAt     time.Time         `json:"started_at,omitzero"`
	FinishedAt    time.Time         `json:"finished_at,omitzero"`
}

// Ended reports whether every execution of the run has ended.
func (r Run) Ended() bool {
	return r.Status == "succeeded" || r.Status == "failed" || r.Status == "cancelled"
}

// LeftOut is an agent that a target named but that does not run it, and why.
type LeftOut struct {
	AgentID   string `json:"agent_id"`
	AgentName string `json:"agent_name"`
	Reason    string `json:"reason"`
}

// RetryRun is the body of POST /runs/{id}/retry.
type RetryRun struct {
	Only string `json:"only,omitempty" enum:"failed,all" doc:"failed repeats only what did not succeed. Left out: all."`
}

// RunTask is the body of POST /tasks/{id}/run.
type RunTask struct {
	Params  json.RawMessage `json:"params,omitempty" doc:"Merged over the task's own parameters for this run."`
	DryRun  bool            `json:"dry_run,omitempty" doc:"Make this run a dry one."`
	Sandbox *string         `json:"sandbox,omitempty" maxLength:"16" doc:"basic, process, filtered or full instead of what the task asks for; an empty text is any. It, clock and seed need the role that ad-hoc runs need."`
	Clock   json.RawMessage `json:"clock,omitempty" doc:"A time as RFC 3339 instead of the task's own; null is the real clock."`
	Seed    json.RawMessage `json:"seed,omitempty" doc:"A whole number instead of the task's own; null is real random numbers."`
}

// JSON marshals v for a field such as Params. It panics on values that JSON cannot express, such as channels.
func JSON(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic("sdk.JSON: " + err.Error())
	}
	return data
}

// StartRun runs a plugin now. With [WithWait] the answer may already have ended.
func (c *Client) StartRun(ctx context.Context, start StartRun, options ...CallOption) (run Run, err error) {
	err = c.do(ctx, "POST", "/runs", nil, start, &run, options...)
	return run, err
}

// Run returns a run with its first 100 executions.
func (c *Client) Run(ctx context.Context, id string, options ...CallOption) (run Run, err error) {
	err = c.do(ctx, "GET", path("runs", id), nil, nil, &run, options...)
	return run, err
}

// Runs lists runs, newest first.
func (c *Client) Runs(ctx context.Context, f RunFilter) (page Page[Run], err error) {
	err = c.do(ctx, "GET", "/runs", f.values(), nil, &page)
	return page, err
}

// RunExecutions lists the executions of a run, failures first.
func (c *Client) RunExecutions(ctx context.Context, id string, l List) (page Page[Execution], err error) {
	err = c.do(ctx, "GET", path("runs", id, "executions"), l.values(), nil, &page)
	return page, err
}

// waitStep is how long one request of a wait is held open: below the usual 60 s of proxies.
const waitStep = 25 * time.Second

// WaitRun returns the run when it has ended. When ctx ends before, it returns the run as it was last seen, and
// the context's error.
func (c *Client) WaitRun(ctx context.Context, id string) (run Run, err error) {
	for {
		next, err := c.Run(ctx, id, WithWait(waitStep))
		if err != nil {
			return run, cmp.Or(ctx.Err(), err)
		}
		if run = next; run.Ended() {
			return run, nil
		}
	}
}

// CancelRun cancels every execution of a run that has not ended.
func (c *Client) CancelRun(ctx context.Context, id string) (run Run, err error) {
	err = c.do(ctx, "POST", path("runs", id, "cancel"), nil, nil, &run)
	return run, err
}

// ForceCloseRun ends every execution of a run that has not ended, at once and without its agent.
func (c *Client) ForceCloseRun(ctx context.Context, id string) (run Run, err error) {
	err = c.do(ctx, "POST", path("runs", id, "force-close"), nil, nil, &run)
	return run, err
}

// RetryRun starts a new run of what a run did; with Only "failed" of what did not succeed.
func (c *Client) RetryRun(ctx context.Context, id string, r RetryRun, options ...CallOption) (run Run, err error) {
	err = c.do(ctx, "POST", path("runs", id, "retry"), nil, r, &run, options...)
	return run, err
}
