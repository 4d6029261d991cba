package views

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"octopus/internal/octopus"
)

// versionHref is the page of a plugin that shows one version. A build has a plus, which an address reads as a space.
func versionHref(plugin, version string) templ.SafeURL {
	return href("/plugins/%s?version=%s", url.PathEscape(plugin), url.QueryEscape(version))
}

// VersionRow is a version on its plugin's page, and what an administrator may do with it now.
type VersionRow struct {
	octopus.PluginVersion
	Percent   int           // which share of the runs that follow the plugin gets it
	Tally     octopus.Tally // how executions ended that are compared
	OnTrial   bool
	Ungranted bool         // it lacks its grant: no ring chooses it
	Move      octopus.Ring // where one click moves it, "" for nowhere
	Hold      bool
	RollBack  bool
}

// remarks reports whether there is something to say of a version.
func (m Plugin) remarks() bool {
	return slices.ContainsFunc(m.Rows, func(v VersionRow) bool { return v.Held || v.Ungranted })
}

// shareWords says what runs get: "1.1.0 (95 %), 1.2.0 (5 %)".
func (m Plugin) shareWords() string {
	var out []string
	for _, v := range m.Rows {
		if v.Percent > 0 {
			out = append(out, v.Version+" ("+strconv.Itoa(v.Percent)+" %)")
		}
	}
	if len(out) == 1 {
		return strings.TrimSuffix(out[0], " (100 %)")
	}
	return strings.Join(out, ", ")
}

// ringWords says which runs a ring includes.
func ringWords(r octopus.Ring) string {
	switch r {
	case octopus.RingCanary:
		return "canary, 5 %"
	case octopus.RingEarly:
		return "early, 25 %"
	}
	return "all"
}

// ringMoveWords says what the history tells of a move: "from canary to early", "held: why", "resumed in early".
func ringMoveWords(message string) string {
	if rest, held := strings.CutPrefix(message, "held: "); held {
		return "held. " + rest
	}
	if strings.HasPrefix(message, "from ") {
		return "moved " + message
	}
	return message
}

// moveWords is the button that moves a version.
func moveWords(v VersionRow) string {
	if v.Move == octopus.RingCanary {
		return "Back to canary"
	}
	return "Promote to " + string(v.Move)
}

func tallyWords(t octopus.Tally) string {
	if t.Total() == 0 {
		return "–"
	}
	return Count(t.Failed) + " of " + Count(t.Total())
}

func rollBackQuestion(m Plugin, v VersionRow) string {
	var above []string
	for _, other := range m.Rows {
		if other.Version == v.Version {
			break // newest first
		}
		if !other.Held {
			above = append(above, other.Version)
		}
	}
	held := strings.Join(above, ", ") + " is held until you resume it."
	if len(above) > 1 {
		held = strings.Join(above, ", ") + " are held until you resume them."
	}
	return "Roll back to " + v.Version + "? New runs of " + m.Plugin.Name + " get it from now on, and " + held + " What runs already goes on."
}
