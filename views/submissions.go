package views

import "octopus/internal/octopus"

// Submissions is the review queue, or one's own submissions.
type Submissions struct {
	Page
	Reviewer bool            // whether everybody's are listed
	Links    []Link          // the states
	Drafts   []octopus.Draft // the viewer's own, where nothing is filtered
	Rows     []octopus.Submission
	Pages    Pages
}

// Submission is the page on which a submitted module is reviewed.
type Submission struct {
	Page
	Sub         octopus.Submission
	Description string
	Actions     []PluginAction
	Asked       []Asked
	Known       bool     // the plugin has versions
	Before      string   // the version that runs get now, "" where there is none
	Dropped     []string // what Before asked for and this does not
	Limits      []Pair
	Ring        octopus.Ring // where it is placed unless they choose another
	Decide      bool         // this viewer may approve and reject
	Why         string       // an administrator may not, and why
	Own         bool         // it is this viewer's
	Unsandboxed bool         // it may run programs outside the sandbox
	Comment     string       // of a decision that was refused
	Problem     string
}

// Asked is something that a submission asks for, beside the version before.
type Asked struct {
	Title, Reason string
	New           bool // Before did not ask for it
	Granted       bool // Before was granted it
}

// more counts what the version before was not granted.
func (m Submission) more() (n int) {
	for _, a := range m.Asked {
		if !a.Granted {
			n++
		}
	}
	return n
}

// submissionPill is the class, icon and word of a submission's state.
func submissionPill(s octopus.SubmissionStatus) (class, icon, word string) {
	switch s {
	case octopus.SubmissionInReview:
		return "warn", "hourglass", "in review"
	case octopus.SubmissionPublished:
		return "ok", "circle-check", "published"
	case octopus.SubmissionFailed:
		return "bad", "circle-x", "checks failed"
	case octopus.SubmissionRejected:
		return "bad", "ban", "rejected"
	}
	return "idle", "circle-slash", "withdrawn"
}

// checkIcon is the class and icon of a check's outcome.
func checkIcon(s octopus.CheckStatus) (class, icon, word string) {
	switch s {
	case octopus.CheckOK:
		return "c-ok", "circle-check", "Passed"
	case octopus.CheckWarning:
		return "c-warn", "triangle-alert", "For the reviewer to weigh"
	}
	return "c-bad", "circle-x", "Failed"
}
