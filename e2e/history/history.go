// Package history judges what happened: it takes what clients were told, what the server stored, what agents wrote
// into their journals and what a witness outside Octopus saw, and names every promise that was broken.
//
// It knows nothing of processes, sockets or databases. The simulator and the chaos tests fill in a [History] each in
// their own way; docs/guarantees.md says which rule belongs to which promise.
package history

import "time"

// History is everything that is known about a time with faults. What a source cannot tell is left empty: rules that
// need it then say nothing.
type History struct {
	Promises  []Promise   // what clients were told, in any order
	Sightings []Sighting  // what observers saw; those of one observer in the order in which they came
	Views     []View      // what live pages showed at some moments
	Stored    []Execution // the database at the end
	Journals  []Journal   // of the agents, read after their processes ended
	Witness   []Mark      // in the order of their arrival
	Left      []string    // what should not be there any more: a child, a descriptor, a goroutine; one sentence each
}

// Kind is what a client asked for.
type Kind string

// What a client can be promised.
const (
	Submit     Kind = "submit"
	Cancel     Kind = "cancel"
	ForceClose Kind = "force-close"
	Retry      Kind = "retry"
)

// Promise is one acknowledgement: from At on the client may rely on it.
type Promise struct {
	Kind       Kind
	Key        string    // submit and retry: the Idempotency-Key; "" without one
	Run        string    // submit and retry: the run that was made
	Executions []string  // that it is about, as far as the answer named them
	Asked, At  time.Time // when the request was sent and when its answer came
}

// Sighting is one state that somebody was shown.
type Sighting struct {
	Observer  string // a name for one sequence of answers: a client, or one stream of events
	Execution string
	Status    string
	Attempt   int
	Fence     int64     // 0: this observer is not told
	Asked     time.Time // zero for what was pushed: it may have been long on its way
	At        time.Time // when it came
}

// View is what a live page showed at a moment.
type View struct {
	Observer string
	Since    time.Time // the (re)connect: from two seconds after it the page must be true
	At       time.Time
	Shown    map[string]string // status by execution
}

// Execution is what the database holds at the end.
type Execution struct {
	ID, Run, Key string
	Status       string
	Reason       string // code; "" where there is none
	Attempt      int
	Fence        int64
	MaxAttempts  int
	CancelledBy  string
	CreatedAt    time.Time
	FinishedAt   time.Time     // when the guest ended, which the server may have learned later
	EndedAt      time.Time     // when the database first held the end; zero: FinishedAt
	Bound        time.Duration // within which it must have ended: wait, deadline, lost_after and a minute; 0: unknown
	Response     []byte        // nil: none was recorded
	Host         bool          // the response was made by the server, not by the plugin
	Attempts     []Attempt     // by number
}

// ended is when the database held the end.
func (x *Execution) ended() time.Time {
	if x.EndedAt.IsZero() {
		return x.FinishedAt
	}
	return x.EndedAt
}

// Attempt is one go.
type Attempt struct {
	Number   int
	Fence    int64
	Agent    string
	Status   string
	NeverRan bool // the server holds that its guest never started
	GoAt     time.Time
}

// Journal is what one agent wrote down, closed entries included as long as the file holds them, in their order.
type Journal struct {
	Agent   string
	Started []Start
	Results []Result
}

// Start is the record that a guest is about to start.
type Start struct {
	Execution string
	Fence     int64
	Attempt   int
}

// Result is the record of a guest's end.
type Result struct {
	Execution string
	Fence     int64
	Attempt   int
	Response  []byte
	SHA256    string // instead of a large Response, in hex
}

// Mark is one host call that reached the witness. A guest's first is its start.
type Mark struct {
	Execution string
	Attempt   int
	Start     bool
	At        time.Time
}

// Violation is one broken promise.
type Violation struct {
	Rule      string
	Execution string // "" where it is about no single one
	Message   string
}

// String is one line for a test's output.
func (v Violation) String() string {
	if v.Execution == "" {
		return v.Rule + ": " + v.Message
	}
	return v.Rule + ": " + v.Execution + ": " + v.Message
}
