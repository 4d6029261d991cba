package views

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"octopus/internal/octopus"
)

// Pages leads through a list: First is set unless this is the newest page, Next while there is more.
type Pages struct{ First, Next string }

// Link is an anchor among several; Current marks the chosen one.
type Link struct {
	Label, Href, Icon string
	Current           bool
}

// StatusCount is how many are in a state.
type StatusCount struct {
	Status string
	N      int
}

// CountsOf lists the states that occur, in the order in which executions reach them.
func CountsOf(c octopus.Counts) []StatusCount {
	var out []StatusCount
	for _, s := range octopus.Statuses {
		if n := c[s]; n > 0 {
			out = append(out, StatusCount{string(s), n})
		}
	}
	return out
}

func countsLabel(c []StatusCount) string {
	parts := make([]string, len(c))
	for i, s := range c {
		parts[i] = fmt.Sprintf("%d %s", s.N, statusWord(s.Status))
	}
	return strings.Join(parts, ", ")
}

// share is a rectangle of a bar that is 1000 wide.
type share struct{ Status, X, W string }

func shares(c []StatusCount) []share {
	total := 0
	for _, s := range c {
		total += s.N
	}
	out, x := make([]share, 0, len(c)), 0.0
	for _, s := range c {
		w := 1000 * float64(s.N) / float64(max(total, 1))
		out = append(out, share{s.Status, num(x), num(w)})
		x += w
	}
	return out
}

func num(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func num3(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

func boolWord(b bool) string { return strconv.FormatBool(b) }

// joinDot puts a dot between what is not empty.
func joinDot(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), " · ")
}
