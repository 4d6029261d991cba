package views

import (
	"maps"
	"slices"

	"octopus/internal/octopus"
)

// Agents is the list of machines.
type Agents struct {
	Page
	Search   string
	Selector string
	Chips    []Link
	Kinds    []Link
	AsTable  bool
	Tiles    []Tile
	Problem  string // about the selector
	Pages    Pages
	Any      bool
}

// Agent is the page of one machine.
type Agent struct {
	Page
	Tile     Tile
	Labels   []string
	Facts    []Pair
	Policy   string
	Sessions []octopus.AgentSession
	Running  []octopus.Execution
	Recent   []octopus.Execution
	Tasks    []Option // what may be run here
	Shell    string   // the line that joins this machine again
	Rename   Rename
}

// Rename is the form of an agent's name and labels, with what is wrong with either.
type Rename struct {
	Name, Labels           string
	NameError, LabelsError string
}

// AddAgent is the page that shows how to add machines.
type AddAgent struct {
	Page
	Token   *octopus.JoinToken // nil: not made yet
	Secret  string
	Unix    string
	Windows string
	Manual  string
	Warning string // why the lines do not work everywhere
	Joined  []Tile
	Labels  string
	Count   string
	Problem string
}

func sandboxClass(level string) string {
	switch level {
	case "full":
		return "ok"
	case "filtered", "process":
		return "warn"
	}
	return "bad"
}

func sandboxIcon(level string) string {
	switch level {
	case "full":
		return "shield-check"
	case "":
		return "shield-off"
	}
	return "shield-alert"
}

func sandboxWord(level string) string {
	if level == "" {
		return "unknown"
	}
	return level
}

// LabelList writes labels as sorted key=value.
func LabelList(labels map[string]string) []string {
	out := make([]string, 0, len(labels))
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, k+"="+labels[k])
	}
	return out
}
