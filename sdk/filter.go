package sdk

import (
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// List asks for one page of a list. The zero value is the first page of 50, newest first where that makes sense.
type List struct {
	Limit  int    // at most 500
	Cursor string // NextCursor of the page before
	Sort   string // "created_at" or "-created_at" for runs and executions, "name" for the others
}

func (l List) values() url.Values {
	q := url.Values{}
	if l.Limit > 0 {
		q.Set("limit", strconv.Itoa(l.Limit))
	}
	set(q, "cursor", l.Cursor)
	set(q, "sort", l.Sort)
	return q
}

// RunFilter narrows a list of runs. Zero fields do not.
type RunFilter struct {
	List
	Status       []string
	Task         string // name or id
	Plugin       string
	CreatedBy    string
	Text         string
	CreatedSince time.Time
}

func (f RunFilter) values() url.Values {
	q := f.List.values()
	set(q, "status", strings.Join(f.Status, ","))
	set(q, "task", f.Task)
	set(q, "plugin", f.Plugin)
	set(q, "created_by", f.CreatedBy)
	set(q, "q", f.Text)
	setTime(q, "created_since", f.CreatedSince)
	return q
}

// ExecutionFilter narrows a list of executions. Zero fields do not.
type ExecutionFilter struct {
	List
	Status                                    []string
	Task, Run, Agent, Plugin                  string // names or ids
	Text                                      string
	CreatedSince, CreatedUntil, FinishedSince time.Time
}

func (f ExecutionFilter) values() url.Values {
	q := f.List.values()
	set(q, "status", strings.Join(f.Status, ","))
	set(q, "task", f.Task)
	set(q, "run", f.Run)
	set(q, "agent", f.Agent)
	set(q, "plugin", f.Plugin)
	set(q, "q", f.Text)
	setTime(q, "created_since", f.CreatedSince)
	setTime(q, "created_until", f.CreatedUntil)
	setTime(q, "finished_since", f.FinishedSince)
	return q
}

// TaskFilter narrows a list of tasks. Zero fields do not.
type TaskFilter struct {
	List
	Text, Folder, Plugin, Selector string
	Enabled                        *bool
	Deleted                        bool // those that were deleted instead, and can be restored
}

func (f TaskFilter) values() url.Values {
	q := f.List.values()
	set(q, "q", f.Text)
	set(q, "folder", f.Folder)
	set(q, "plugin", f.Plugin)
	set(q, "selector", f.Selector)
	if f.Enabled != nil {
		q.Set("enabled", strconv.FormatBool(*f.Enabled))
	}
	if f.Deleted {
		q.Set("deleted", "true")
	}
	return q
}

// AgentFilter narrows a list of agents. Zero fields do not.
type AgentFilter struct {
	List
	Text, Status, Selector string
}

func (f AgentFilter) values() url.Values {
	q := f.List.values()
	set(q, "q", f.Text)
	set(q, "status", f.Status)
	set(q, "selector", f.Selector)
	return q
}

// All walks a whole list, page by page: give it the first cursor's call, such as
//
//	for run, err := range sdk.All(func(cursor string) (sdk.Page[sdk.Run], error) {
//		filter.Cursor = cursor
//		return client.Runs(ctx, filter)
//	}) { … }
//
// The first error ends it.
func All[T any](page func(cursor string) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for cursor := ""; ; {
			p, err := page(cursor)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			if cursor = p.NextCursor; cursor == "" {
				return
			}
		}
	}
}

func set(q url.Values, key, value string) {
	if value != "" {
		q.Set(key, value)
	}
}

func setTime(q url.Values, key string, at time.Time) {
	if !at.IsZero() {
		q.Set(key, at.UTC().Format(time.RFC3339Nano))
	}
}
