package views

import (
	"fmt"

	"octopus/internal/octopus"
)

// NewScript is where a script plugin begins.
type NewScript struct {
	Page
	Templates []ScriptTemplate
	Name      string
	Problem   string
}

// ScriptTemplate is a script to begin with.
type ScriptTemplate struct {
	Key, Title, About, Needs string
	Chosen                   bool
}

// Draft is the editor of a script plugin.
type Draft struct {
	Page
	Draft   octopus.Draft
	Actions []string // what can be tried, as far as the manifest can be read
	Try     TryForm
	Note    string
	Outcome DraftOutcome
}

// TryForm is what one run of a script is given.
type TryForm struct {
	Action, Params, Fakes string
	DryRun                bool
}

// DraftOutcome is what a look at a draft found.
type DraftOutcome struct {
	Problem  string
	Problems []Pair // where, and what
	Faults   []DraftFault
	Good     string // the sentence where nothing is wrong
	Checks   []octopus.Check
	Tried    *Tried
}

// DraftFault is something that is wrong with a file of a draft.
type DraftFault struct {
	File    string // plugin.js or plugin.yaml
	Line    int    // 0 where none can be told
	Path    string
	Message string
}

func (f DraftFault) place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

// Tried is how one run of a script went.
type Tried struct {
	Status             int
	OK                 bool
	Message, ErrorCode string
	Response           string // all of it, as JSON
	Log                []string
	Calls              []TriedCall
	Took, Memory       string
	Cut                bool   // not all of log and calls was kept
	Outside            string // what the script asked for and its manifest does not, a sentence; "" without
}

// TriedCall is what a script asked of the host, and the answer.
type TriedCall struct{ Op, Request, Reply string }
