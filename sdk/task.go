package sdk

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
)

// NewTask is the body of POST /tasks.
type NewTask struct {
	Name        string            `json:"name" minLength:"1" maxLength:"128" doc:"Unique among tasks."`
	Description string            `json:"description,omitempty" maxLength:"4096"`
	Folder      string            `json:"folder,omitempty" maxLength:"256"`
	Labels      map[string]string `json:"labels,omitempty"`
	Enabled     *bool             `json:"enabled,omitempty" doc:"Left out: true."`
	Work
}

// Task is a saved definition of work.
type Task struct {
	ID          string            `json:"id" example:"tsk_01kb2m3n4p5q6r7s8t9v0w1x2y"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Folder      string            `json:"folder,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"`
	Type        string            `json:"type" enum:"adhoc,scheduled,recurring"`
	Work
	Enabled   bool      `json:"enabled"`
	Revision  int64     `json:"revision" doc:"Grows with each change; the ETag."`
	Owner     string    `json:"owner,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by,omitempty"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	UpdatedBy string    `json:"updated_by,omitempty"`
	DeletedAt time.Time `json:"deleted_at,omitzero" doc:"Set on a task that was deleted and can be restored."`
	LastRun   *TaskRun  `json:"last_run,omitempty" doc:"The newest run."`
	Mismatch  string    `json:"mismatch,omitempty" doc:"Why its plugin would not run it now: a version, an action or parameters that are not there any more, or a missing grant. Left out of lists."`
}

// TaskRun is the newest run of a task, in short.
type TaskRun struct {
	ID         string    `json:"id"`
	Status     string    `json:"status"`
	Outcome    string    `json:"outcome,omitempty"`
	CreatedAt  time.Time `json:"created_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}

// TaskPatch is the body of PATCH /tasks/{id}: a JSON merge patch, nil leaves a field alone.
type TaskPatch struct {
	Name             *string            `json:"name,omitempty" minLength:"1" maxLength:"128"`
	Description      *string            `json:"description,omitempty" maxLength:"4096"`
	Folder           *string            `json:"folder,omitempty" maxLength:"256"`
	Labels           map[string]*string `json:"labels,omitempty" doc:"null removes a label."`
	Enabled          *bool              `json:"enabled,omitempty"`
	Plugin           *string            `json:"plugin,omitempty" minLength:"1" maxLength:"64"`
	Version          *string            `json:"version,omitempty" maxLength:"64"`
	Action           *string            `json:"action,omitempty" minLength:"1" maxLength:"64"`
	Params           json.RawMessage    `json:"params,omitempty" doc:"Merged into the present ones; null removes a parameter."`
	Target           *Target            `json:"target,omitempty"`
	TimeoutSeconds   *float64           `json:"timeout_seconds,omitempty" minimum:"0" maximum:"2592000"`
	DeadlineSeconds  *float64           `json:"deadline_seconds,omitempty" minimum:"0" maximum:"31536000"`
	WaitTTLSeconds   *float64           `json:"wait_ttl_seconds,omitempty" minimum:"0" maximum:"31536000"`
	LostAfterSeconds *float64           `json:"lost_after_seconds,omitempty" minimum:"0" maximum:"2592000"`
	OnLost           *string            `json:"on_lost,omitempty" enum:"fail,retry"`
	DryRun           *bool              `json:"dry_run,omitempty"`
	MaxAttempts      *int               `json:"max_attempts,omitempty" minimum:"0" maximum:"100"`
	Priority         *int               `json:"priority,omitempty" minimum:"-1000" maximum:"1000"`
	Fuel             *int64             `json:"fuel,omitempty" minimum:"0" doc:"0 is what the plugin says."`
	Sandbox          *string            `json:"sandbox,omitempty" maxLength:"16" doc:"basic, process, filtered or full; an empty text is any."`
	Clock            json.RawMessage    `json:"clock,omitempty" doc:"A time as RFC 3339; null is the real clock."`
	Seed             json.RawMessage    `json:"seed,omitempty" doc:"A whole number; null is real random numbers."`
}

// CreateTask saves a task.
func (c *Client) CreateTask(ctx context.Context, t NewTask, options ...CallOption) (task Task, err error) {
	err = c.do(ctx, "POST", "/tasks", nil, t, &task, options...)
	return task, err
}

// Task returns a task by id or name.
func (c *Client) Task(ctx context.Context, idOrName string) (task Task, err error) {
	err = c.do(ctx, "GET", path("tasks", idOrName), nil, nil, &task)
	return task, err
}

// Tasks lists tasks by name.
func (c *Client) Tasks(ctx context.Context, f TaskFilter) (page Page[Task], err error) {
	err = c.do(ctx, "GET", "/tasks", f.values(), nil, &page)
	return page, err
}

// UpdateTask changes a task. With a revision other than 0 it is refused with 412 when somebody else changed the
// task since.
func (c *Client) UpdateTask(ctx context.Context, idOrName string, revision int64, p TaskPatch) (task Task, err error) {
	err = c.do(ctx, "PATCH", path("tasks", idOrName), nil, p, &task, ifMatch(revision))
	return task, err
}

// DeleteTask deletes a task; its runs stay, and [Client.RestoreTask] brings it back. For revision see
// [Client.UpdateTask].
func (c *Client) DeleteTask(ctx context.Context, idOrName string, revision int64) error {
	return c.do(ctx, "DELETE", path("tasks", idOrName), nil, nil, nil, ifMatch(revision))
}

// RestoreTask brings a deleted task back as it was. A name means the task of that name that was deleted last.
func (c *Client) RestoreTask(ctx context.Context, idOrName string) (task Task, err error) {
	err = c.do(ctx, "POST", path("tasks", idOrName, "restore"), nil, nil, &task)
	return task, err
}

// RunTask runs a saved task now.
func (c *Client) RunTask(ctx context.Context, idOrName string, r RunTask, options ...CallOption) (run Run, err error) {
	err = c.do(ctx, "POST", path("tasks", idOrName, "run"), nil, r, &run, options...)
	return run, err
}

func ifMatch(revision int64) CallOption {
	return func(r *call) {
		if revision != 0 {
			r.header.Set("If-Match", `"`+strconv.FormatInt(revision, 10)+`"`)
		}
	}
}
