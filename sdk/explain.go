package sdk

import (
	"context"
	"encoding/json"
	"time"
)

// Explanation says why an execution is where it is.
type Explanation struct {
	Execution   string       `json:"execution"`
	Status      string       `json:"status"`
	Summary     string       `json:"summary" doc:"Where it is and why, in one or two sentences."`
	Next        *Forecast    `json:"next,omitempty" doc:"What happens by itself if nothing else does. Left out once it has ended."`
	Steps       []Step       `json:"steps" doc:"Oldest first. An offer and what became of it are one step."`
	Agents      []Candidate  `json:"agents" doc:"While it waits: each agent, and why it does not run there. Those that the target means come first."`
	LeftOut     []LeftOut    `json:"left_out,omitempty" doc:"Agents that the run's target named but that do not run it."`
	LateResults []LateResult `json:"late_results" doc:"Results that came when nobody waited for them any more: kept as evidence, they change nothing."`
}

// Forecast is what a timer will do.
type Forecast struct {
	At      time.Time `json:"at"`
	Message string    `json:"message"`
}

// Step is one line of an explanation.
type Step struct {
	At         time.Time `json:"at"`
	Until      time.Time `json:"until,omitzero" doc:"When an offer was over."`
	Kind       string    `json:"kind" doc:"Of the event that it began with: queued, offered, prepared, started, silent, heard, retry, lost, cancel_requested, ended, late_result …"`
	Outcome    string    `json:"outcome,omitempty" doc:"Of an offer: accepted, withdrawn, rejected or ended; left out while it is open."`
	AgentID    string    `json:"agent_id,omitempty"`
	AgentName  string    `json:"agent_name,omitempty"`
	Attempt    int       `json:"attempt,omitempty"`
	Count      int       `json:"count" doc:"How many such steps, one after the other, this one stands for."`
	Message    string    `json:"message"`
	DurationMS float64   `json:"duration_ms,omitempty"`
}

// Candidate is an agent, seen from an execution that waits.
type Candidate struct {
	AgentID   string    `json:"agent_id"`
	AgentName string    `json:"agent_name"`
	State     string    `json:"state" doc:"busy, paused, free, waiting, connecting, stopping, offline, disabled, drained, refused or no_match."`
	Reason    string    `json:"reason"`
	Offers    int       `json:"offers,omitempty" doc:"How often it was offered there."`
	LastOffer time.Time `json:"last_offer,omitzero"`
}

// LateResult is a result that came when nobody waited for it any more.
type LateResult struct {
	At        time.Time       `json:"at"`
	AgentName string          `json:"agent_name,omitempty"`
	Attempt   int             `json:"attempt,omitempty"`
	Outcome   string          `json:"outcome,omitempty" doc:"What the agent says became of its attempt."`
	Reason    string          `json:"reason,omitempty"`
	Message   string          `json:"message" doc:"All of it in a sentence."`
	Response  json.RawMessage `json:"response,omitempty" doc:"What the plugin answered; left out over 64 KiB."`
}

// ExplainExecution says why an execution is where it is: what happened to it step by step and, while it waits, of
// each agent why it does not run there.
func (c *Client) ExplainExecution(ctx context.Context, id string) (e Explanation, err error) {
	err = c.do(ctx, "GET", path("executions", id, "explain"), nil, nil, &e)
	return e, err
}
