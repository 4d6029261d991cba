package views

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"octopus/internal/octopus"
)

// Field is one input of a form that was made from a JSON Schema.
type Field struct {
	Name        string // of the input, "p.url"
	Label       string
	Kind        string // text, password, email, url, number, checkbox, select, textarea, list, json
	Value       string
	Checked     bool
	Options     []Option
	Placeholder string
	Help        string
	Required    bool
	Error       string
	Min, Max    string
	Step        string
	Default     string // of a select: what is used where nothing is chosen
}

// defaultLabel is the choice of a select that chooses nothing.
func (f Field) defaultLabel() string {
	if f.Default != "" {
		return f.Default + " (default)"
	}
	return "–"
}

// id is the element's id: names have dots, which selectors read as classes.
func (f Field) id() string { return "f-" + f.Name }

// optional fields that are empty go into a fold, so that the common case fits a screen.
func (f Field) folded() bool {
	return !f.Required && f.Error == "" && f.Kind != "checkbox" && f.Value == ""
}

// Target is the part of a form that says where.
type Target struct {
	Mode     octopus.TargetMode
	Count    int
	Agent    string
	Selector string
	Agents   []Option
	Matching string // how many match, in words
	Error    string // about the selector or the agent
}

// Work is what a run form and a task form have in common.
type Work struct {
	Plugin, Version, Action string
	Description             string
	Versions                []Option // that it may name
	RunsGet                 string   // which version it would run now
	Actions                 []Option
	Fields                  []Field
	Target                  Target
	Missing                 []string // grants that it lacks, a sentence each
	Lacks                   []string // secrets that nobody stored, a sentence each
	MayGrant                bool
	DryRun                  bool
	Unsandboxed             bool   // the plugin may run programs outside the sandbox
	Timeout, Attempts       string // as typed; "" is the default
	OnLost                  string
	Priority, Fuel          string
	Sandbox                 octopus.SandboxLevel // the least that its agent must reach
	Clock, Seed             string               // as typed
	TimeoutHint, FuelHint   string               // the plugin's own
	Idempotent              bool
	Problem                 string
	Errors                  map[string]string // by input name
	Compact                 bool              // on the first page: fewer fields show at once
}

// unsaid is the problem, unless it is a missing grant, which is said beside the button that makes it.
func (w Work) unsaid() string {
	if len(w.Missing) > 0 && w.MayGrant && strings.HasPrefix(w.Problem, w.Missing[0]) {
		return ""
	}
	return w.Problem
}

// shownAtLeast is how many fields a form shows where all could go into the fold: a form of a fold is no form.
const shownAtLeast = 3

// main are the fields that show at once.
func (w Work) main() []Field {
	open, _ := w.fold()
	return open
}

// rest are the fields in the fold.
func (w Work) rest() []Field {
	_, folded := w.fold()
	return folded
}

func (w Work) fold() (open, folded []Field) {
	for _, f := range w.Fields {
		if w.Compact && f.folded() {
			folded = append(folded, f)
		} else {
			open = append(open, f)
		}
	}
	if len(open) == 0 {
		n := min(shownAtLeast, len(folded))
		return folded[:n], folded[n:]
	}
	return open, folded
}

// advanced reports whether the policies differ from their defaults, so that the fold opens.
func (w Work) advanced() bool {
	problems := ""
	for _, name := range []string{"timeout", "attempts", "priority", "fuel", "on_lost", "version", "sandbox", "clock", "seed"} {
		problems += w.Errors[name]
	}
	return w.DryRun || w.OnLost == string(octopus.OnLostRetry) ||
		w.Version+w.Timeout+w.Attempts+w.Priority+w.Fuel+string(w.Sandbox)+w.Clock+w.Seed+problems != ""
}

// sandboxChoices are the levels of sandbox that work may ask for, any first, then from the strongest.
func (w Work) sandboxChoices() []Option {
	out := []Option{{Value: "", Label: "any"}}
	for _, level := range slices.Backward(octopus.SandboxLevels) {
		label := string(level) + " or better"
		if level == octopus.SandboxFull {
			label = string(level)
		}
		out = append(out, Option{Value: string(level), Label: label, Selected: level == w.Sandbox})
	}
	return out
}

// Moment writes a time to the nanosecond, as a form and a command line take it; "" for none.
func Moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// Seed writes a seed; "" for none.
func Seed(n *uint64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatUint(*n, 10)
}

// Choice is a plugin's action in the picker.
type Choice struct {
	Plugin, Action, Description, Href string
	Icon                              string
	Current                           bool
	Task                              bool // opens the page of a new task, instead of a form in place
}

// RunForm is the page to run something once.
type RunForm struct {
	Page
	Choices []Choice
	Work    *Work // nil: nothing is chosen yet
}

// explained reports whether a help text stands below the input. A list always says how it is typed.
func (f Field) explained() bool { return f.Help != "" || f.Kind == "list" }

// fieldAttrs are the attributes that every kind of input has.
func fieldAttrs(f Field) templ.Attributes {
	a := templ.Attributes{}
	set := func(name, value string) {
		if value != "" {
			a[name] = value
		}
	}
	set("placeholder", f.Placeholder)
	set("min", f.Min)
	set("max", f.Max)
	set("step", f.Step)
	a["required"] = f.Required
	if f.Kind == "password" {
		a["autocomplete"] = "off"
	}
	var about []string
	if f.explained() {
		about = append(about, f.id()+"-help")
	}
	if f.Error != "" {
		a["aria-invalid"] = "true"
		about = append(about, f.id()+"-error")
	}
	set("aria-describedby", strings.Join(about, " "))
	return a
}
