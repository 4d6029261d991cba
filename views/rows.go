package views

import (
	"octopus/internal/octopus"
)

// Executions is the list of executions, or of runs.
type Executions struct {
	Page
	Kinds    []Link // runs or executions
	Statuses []Link // filter chips by state
	Filters  []Link // what else narrows the list, each removable
	Search   string
	Hidden   []Option // filters that a new search keeps
	Window   []Option // how far back; "" is everything
	Rows     []octopus.Execution
	Runs     []octopus.Run
	IsRuns   bool
	Pages    Pages
	Closed   bool // an older page: new rows do not come in
}

// title is what an execution runs.
func title(x octopus.Execution) string {
	if x.TaskName != "" {
		return x.TaskName
	}
	return x.Plugin + " · " + x.Action
}

func runTitle(r octopus.Run) string {
	if r.TaskName != "" {
		return r.TaskName
	}
	return r.Plugin + " · " + r.Action
}

// shown is the status that a person sees: a running execution whose agent is not heard says so.
func shown(x octopus.Execution) string {
	if x.Silent && x.Status == octopus.Running {
		return "silent"
	}
	return string(x.Status)
}

// lastWord is the one line under an execution in a feed.
func lastWord(x octopus.Execution) (text string, log bool) {
	switch {
	case x.Status.Terminal() && x.Message != "":
		return x.Message, false
	case x.Status.Terminal() && x.Reason != nil:
		return x.Reason.Message, false
	case x.Waiting != nil:
		return x.Waiting.Message, false
	case x.LastLog != "":
		return x.LastLog, true
	case x.Progress != nil:
		return x.Progress.Message, false
	}
	return "", false
}

// runWord is the one line of a run in a list.
func runWord(r octopus.Run) string {
	if r.Total == 1 {
		return Plural(1, "execution", "executions")
	}
	return Plural(r.Total, "execution", "executions")
}

// runSub is the line under a run's title.
func runSub(r octopus.Run) string {
	if r.TaskName != "" {
		return r.Plugin + " " + r.Version + " · " + r.Action
	}
	return "ad hoc by " + r.CreatedBy + " via " + r.Source
}
