package views

import "octopus/internal/octopus"

// Tasks is the list of saved tasks.
type Tasks struct {
	Page
	Search  string
	Chips   []Link
	Folders []Link
	Rows    []octopus.Task
	Pages   Pages
	Deleted bool // those that were deleted
	Any     bool // whether a task exists at all, whatever the filter says
}

// Task is the page of one task.
type Task struct {
	Page
	Task   octopus.Task
	Params []Param
	Where  string
	Facts  []Pair
	Recent []octopus.Run

	Mismatch string // why its plugin would not run it now, "" where it would
}

// TaskForm makes or changes a task.
type TaskForm struct {
	Page
	ID          string // "" for a new one
	Revision    int64
	Name        string
	Description string
	Folder      string
	Labels      string
	Enabled     bool
	Choices     []Choice
	Work        *Work
}

// TargetWords says where a task runs.
func TargetWords(t octopus.Target) string {
	var where string
	switch t.Mode {
	case octopus.TargetAgent:
		return "on " + t.Agent
	case octopus.TargetAll:
		where = "every agent"
	default:
		if t.Count > 1 {
			where = "any " + Plural(t.Count, "agent", "agents")
		} else {
			where = "any one agent"
		}
	}
	if t.Selector != "" {
		where += " with " + t.Selector
	}
	return where
}
