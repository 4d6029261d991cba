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
	X        octopus.Execution
	Run      octopus.Run
	Alone    bool // its run has no other execution
	Timeline Timeline
	Log      []octopus.LogChunk // the tail
	LogSeq   int64
	LogFrom  bool // there is more before the tail
	Result   *Result
	Params   []Param
	Where    string // the target in words
	Attempts []octopus.Attempt
	Events   []octopus.Event
	Facts    []Pair
	Late     bool // a result came after the end; it is kept as evidence
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

// eventClass colours the dot of an event.
func eventClass(e octopus.Event) string {
	switch e.Kind {
	case "ended":
		for _, s := range octopus.Statuses {
			if s.Terminal() && containsWord(e.Message, string(s)) {
				return "s-" + string(s)
			}
		}
		return "s-idle"
	case "started", "accepted", "prepared", "offered":
		return "s-running"
	case "withdrawn", "rejected", "cancel_requested", "late_result", "silent", "lost":
		return "s-warn"
	}
	return "s-idle"
}

// eventText is the sentence of an event, or its kind where it has none.
func eventText(e octopus.Event) string {
	if e.Message != "" {
		return e.Message
	}
	if e.AgentName != "" {
		return statusWord(e.Kind) + " by " + e.AgentName
	}
	return statusWord(e.Kind)
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
