package octopus

import (
	"encoding/json"
	"time"
)

// Explanation says why an execution is where it is: in a sentence, step by step, and for each agent. It is the one
// account that the page, the API and the command line all show.
type Explanation struct {
	Execution Execution // with Params and Response
	Summary   string    // where it is, and why
	Next      *Forecast // what happens by itself if nothing else does; nil once it has ended
	Steps     []Step    // oldest first; a result that came late is one of them
	Agents    []Candidate
	LeftOut   []LeftOut // agents that the run's target left out
	Late      []LateResult
}

// Forecast is what a timer will do.
type Forecast struct {
	At      time.Time
	Message string
}

// Step is one line of an explanation. An offer and what became of it are one step.
type Step struct {
	Kind      string // of the event that it began with, such as "offered"
	Outcome   string // of an offer: accepted, withdrawn, rejected, ended; "" while it is open, and for other steps
	At        time.Time
	Until     time.Time // when an offer was over; zero while it is open, and for other steps
	AgentID   string
	AgentName string
	Attempt   int
	Count     int // how many such offers, one after the other, this line stands for; at least 1
	Message   string
	Duration  time.Duration
}

// Candidate is an agent, seen from one execution.
type Candidate struct {
	AgentID   string
	AgentName string
	// State is matching agents' busy, paused, connecting, stopping, offline, disabled, drained, sandbox or refused while
	// it waits; no_match for one that its target does not mean; else holds, tried or reported.
	State     string
	Reason    string // one sentence
	Offers    int    // how often it was offered there
	LastOffer time.Time
}

// LateResult is a result that came when nobody waited for it any more. It changes nothing.
type LateResult struct {
	At         time.Time
	AgentName  string
	Attempt    int
	Fence      int64
	Outcome    Status // what the agent says became of its attempt
	Reason     string // the agent's own code, such as agent_restarted
	StatusCode int    // of the response, 0 without one
	Said       string // the response's message
	Response   json.RawMessage
	After      time.Duration // how long after the execution's end; 0 when it had not ended
	Message    string        // all of it in a sentence
}
