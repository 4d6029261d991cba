package views

import (
	"encoding/json"
	"strings"
	"time"

	"octopus/internal/octopus"
)

// Execution is the page of one execution; for a run of one it is the page of the run, too.
type Execution struct {
	Page
	X         octopus.Execution
	Run       octopus.Run
	Alone     bool // its run has no other execution
	Timeline  Timeline
	Log       []octopus.LogChunk // the tail
	LogSeq    int64
	LogFrom   bool // there is more before the tail
	Result    *Result
	Params    []Param
	Where     string // the target in words
	Attempts  []octopus.Attempt
	Artifacts []octopus.Artifact // without their data

	Unsandboxed bool // its plugin may run programs outside the sandbox

	Intents []Pair // what a dry run would have done: host call, in words
	Why     octopus.Explanation
	Facts   []Pair
}

// Pair is a fact with its name.
type Pair struct{ Label, Text string }

// Param is one parameter as it was given, masked where its schema says so.
type Param struct {
	Name, Text string
	Masked     bool
	Block      bool // long or structured: shown as a block
}

// Timeline is where the time went, as shares of a bar 1000 wide.
type Timeline struct {
	Parts []TimelinePart
	Total time.Duration
	Label string // the bar in words
}

// TimelinePart is one stretch. Class names its colour.
type TimelinePart struct {
	Class, Label, X, W string
	Took               time.Duration
	Open               time.Time // set while it goes on
}

// Result is what an execution answered.
type Result struct {
	StatusCode int
	Message    string
	Good       bool
	ErrorCode  string
	Value      *Value // the result as a table; nil without one
	JSON       string // the whole response, indented
	Named      []Named
	Metrics    []Pair
	Files      []Pair
}

// Named is a named result, kept with the execution.
type Named struct {
	Name  string
	Value *Value
	JSON  string
}

// Value is any JSON as something to look at.
type Value struct {
	Kind    string // "scalar", "object", "rows", "list"
	Class   string // of a scalar: "n" number or boolean, "null", ""
	Text    string
	Pairs   []ValuePair
	Columns []string
	Rows    [][]Value
	More    int // rows that are left out
}

// ValuePair is a member of an object.
type ValuePair struct {
	Key   string
	Value Value
}

// ValueOf reads JSON into something to look at; nil where there is nothing.
func ValueOf(raw json.RawMessage) *Value {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	v := valueOf(raw, 0)
	return &v
}

// live reports whether the execution still moves.
func (m Execution) live() bool { return !m.X.Status.Terminal() }

// subject is what buttons act on: the run where it is alone, so that its address stays the run's.
func (m Execution) subject() string {
	if m.Alone {
		return "/runs/" + m.X.RunID
	}
	return "/executions/" + m.X.ID
}

// stepClass colours the dot of a step.
func stepClass(s octopus.Step) string {
	switch s.Kind {
	case "ended":
		for _, status := range octopus.Statuses {
			if status.Terminal() && containsWord(s.Message, string(status)) {
				return "s-" + string(status)
			}
		}
	case "offered":
		if s.Outcome == "withdrawn" || s.Outcome == "rejected" {
			return "s-warn"
		}
		return "s-running"
	case "started", "accepted", "prepared":
		return "s-running"
	case "withdrawn", "cancel_requested", "late_result", "artifacts_lost", "silent", "retry":
		return "s-warn"
	case "lost":
		return "s-lost"
	}
	return "s-idle"
}

// stepText is the sentence of a step, or its kind where it has none.
func stepText(s octopus.Step) string {
	if s.Message != "" {
		return s.Message
	}
	return statusWord(s.Kind)
}

// needsWord reports whether the explanation says more than the pill and the result do: it lives and does not simply
// run, or it ended in a way that the result does not tell.
func (m Execution) needsWord() bool {
	if m.live() {
		return m.X.Status == octopus.Queued || m.X.Silent || m.X.Cancelling
	}
	return m.reasonIsNews()
}

// noteKind is the look of the explanation's sentence.
func (m Execution) noteKind() (class, icon string) {
	switch {
	case m.X.Silent && m.live():
		return "warn", "unplug"
	case m.live():
		return "warn", "hourglass"
	}
	return string(m.X.Status), statusIcon(string(m.X.Status))
}

// candidateClass is the look of an agent's state, seen from a waiting execution.
func candidateClass(state string) string {
	switch state {
	case "free":
		return "ok"
	case "busy", "waiting", "connecting":
		return "running"
	case "refused":
		return "rejected"
	case "paused", "stopping", "drained":
		return "warn"
	}
	return "idle"
}

// matching splits the candidates: those that the target means, and how many others there are.
func matching(all []octopus.Candidate) (meant []octopus.Candidate, others int) {
	for _, c := range all {
		if c.State == "no_match" {
			others++
		} else {
			meant = append(meant, c)
		}
	}
	return meant, others
}

func containsWord(text, status string) bool {
	return strings.Contains(strings.ToLower(text), statusWord(status))
}

// shortList reports whether a list is better as chips than as a table.
func shortList(v Value) bool {
	if len(v.Rows) > 24 || v.More > 0 {
		return false
	}
	for _, row := range v.Rows {
		if row[0].Kind != "scalar" || len(row[0].Text) > 60 {
			return false
		}
	}
	return true
}

// reasonIsNews reports whether the reason says more than the result below it does.
func (m Execution) reasonIsNews() bool {
	x := m.X
	return x.Reason != nil && x.Status.Terminal() && x.Status != octopus.Succeeded &&
		(m.Result == nil || m.Result.Message != x.Reason.Message)
}

// what is the plugin that runs, and its action where the title does not say it.
func (m Execution) what() string {
	if m.X.TaskName != "" {
		return m.X.Plugin + " " + m.X.PluginVersion + " · " + m.X.Action + " "
	}
	return m.X.Plugin + " " + m.X.PluginVersion + " "
}
