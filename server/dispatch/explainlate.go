package dispatch

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/store"
)

// lateBody is how a late result is kept.
type lateBody struct {
	Agent    string          `json:"agent"`
	Attempt  int             `json:"attempt"`
	Fence    int64           `json:"fence"`
	Outcome  octopus.Status  `json:"outcome"`
	Reason   string          `json:"reason,omitempty"`
	Response json.RawMessage `json:"response,omitempty"` // left out where it is no response, or too large to keep
}

// LateResults returns the results that came when nobody waited for them any more, oldest first. What an agent sent
// again is one.
func (d *Dispatcher) LateResults(ctx context.Context, x octopus.Execution) ([]octopus.LateResult, error) {
	list, err := d.store.Evidence(ctx, x.ID)
	if err != nil {
		return nil, err
	}
	var out []octopus.LateResult
	seen := make(map[string]bool)
	for _, e := range list {
		if key := string(e.Body); !seen[key] {
			seen[key] = true
			out = append(out, lateResult(x, e))
		}
	}
	return out, nil
}

// late is [Dispatcher.LateResults], which asks only where the events tell of one.
func (d *Dispatcher) late(ctx context.Context, x octopus.Execution, events []octopus.Event) ([]octopus.LateResult, error) {
	for _, e := range events {
		if e.Kind == "late_result" {
			return d.LateResults(ctx, x)
		}
	}
	return nil, nil
}

func lateResult(x octopus.Execution, e store.Evidence) octopus.LateResult {
	var b lateBody
	if err := json.Unmarshal(e.Body, &b); err != nil { // what an older server kept: show at least that it came
		return octopus.LateResult{At: e.At, Message: "A late result came that cannot be read any more. It changed nothing."}
	}
	l := octopus.LateResult{
		At: e.At, AgentName: b.Agent, Attempt: b.Attempt, Fence: b.Fence, Outcome: b.Outcome, Reason: b.Reason, Response: b.Response,
	}
	var res spec.Response
	if json.Unmarshal(b.Response, &res) == nil {
		l.StatusCode, l.Said = res.StatusCode, res.Message
	}
	l.Message = fmt.Sprintf("%s reported attempt %d as %s", b.Agent, b.Attempt, word(b.Outcome))
	if !x.FinishedAt.IsZero() && !e.At.Before(x.FinishedAt) {
		l.After = e.At.Sub(x.FinishedAt)
		l.Message += fmt.Sprintf(", %s after this had ended. It stays %s.", short(max(l.After, time.Millisecond)), word(x.Status))
	} else {
		l.Message += " when that attempt had been given up. It changed nothing."
	}
	return l
}

// word is a status as people read it.
func word(s octopus.Status) string { return strings.ReplaceAll(string(s), "_", " ") }
