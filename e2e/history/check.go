package history

import (
	"fmt"
	"slices"
)

// The rules by name. Each has a history that it passes and one that it refuses in check_test.go.
const (
	RuleLost         = "acknowledged-is-kept"      // an acknowledged submit or retry exists
	RuleDoubled      = "one-run-per-key"           // one Idempotency-Key made one run
	RuleEnds         = "ends-within-bound"         // everything is terminal, within its bound
	RuleFinal        = "terminal-never-changes"    // for no observer, nor between two of them
	RuleCancel       = "cancel-is-kept"            // an acknowledged cancel is stored and nothing is started after it
	RuleForceClose   = "force-close-is-kept"       // and ends it
	RuleResult       = "one-result"                // the stored response is the one that its attempt journalled
	RuleStarts       = "starts-at-most"            // max_attempts; once by default
	RuleOverlap      = "older-attempt-is-silent"   // no host call of an older attempt after a newer one's start
	RuleGrow         = "attempts-and-fences-grow"  //
	RuleNeverStarted = "never-started-is-true"     // what the server says never ran was never seen
	RuleLeft         = "nothing-is-left"           // no child, descriptor, goroutine
	RuleView         = "live-view-is-the-database" // two seconds after a reconnect
)

// Rules lists all of them.
var Rules = []string{RuleLost, RuleDoubled, RuleEnds, RuleFinal, RuleCancel, RuleForceClose, RuleResult, RuleStarts,
	RuleOverlap, RuleGrow, RuleNeverStarted, RuleLeft, RuleView}

// checker holds the indexes of one check.
type checker struct {
	History
	stored map[string]*Execution
	found  []Violation
}

// Check applies every rule and returns what was broken, rule by rule; nil when every promise was kept.
func Check(h History) []Violation {
	c := &checker{History: h, stored: make(map[string]*Execution, len(h.Stored))}
	for i := range h.Stored {
		c.stored[h.Stored[i].ID] = &h.Stored[i]
	}
	for _, rule := range []func(){
		c.kept, c.once, c.ends, c.final, c.cancelled, c.forceClosed, c.result, c.starts, c.overlap, c.grow,
		c.neverStarted, c.left, c.views,
	} {
		rule()
	}
	return c.found
}

// Broken lists the names of the rules that were broken, each once, in the order of [Rules].
func Broken(found []Violation) []string {
	var names []string
	for _, rule := range Rules {
		if slices.ContainsFunc(found, func(v Violation) bool { return v.Rule == rule }) {
			names = append(names, rule)
		}
	}
	return names
}

func (c *checker) broken(rule, execution, format string, args ...any) {
	c.found = append(c.found, Violation{rule, execution, fmt.Sprintf(format, args...)})
}

// terminal reports whether a status never changes again. It is told from what lives, so that a state that nobody
// knows is not taken for one that may still move.
func terminal(status string) bool {
	return status != "queued" && status != "offered" && status != "running"
}

func (c *checker) left() {
	for _, what := range c.Left {
		c.broken(RuleLeft, "", "%s", what)
	}
}
