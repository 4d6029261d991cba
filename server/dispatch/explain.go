package dispatch

import (
	"context"
	"slices"

	"octopus/internal/octopus"
)

// maxExplainedAgents bounds the agents that an explanation names.
const maxExplainedAgents = 200

// Explain says of each agent why it does not run a queued execution; those that match come first. It is empty for
// an execution that does not wait.
func (d *Dispatcher) Explain(ctx context.Context, executionID string) ([]octopus.LeftOut, error) {
	x, err := d.store.Execution(ctx, executionID)
	if err != nil || x.Status != octopus.Queued {
		return nil, err
	}
	selector, err := octopus.ParseSelector(x.Pool)
	if err != nil {
		return nil, err
	}
	agents, err := d.roster.all(ctx, d, octopus.Selector{})
	if err != nil {
		return nil, err
	}
	var matching, others []octopus.LeftOut
	for _, a := range agents {
		out := octopus.LeftOut{AgentID: a.id, AgentName: a.name}
		switch {
		case x.BoundAgent != "" && a.id != x.BoundAgent:
			continue
		case x.BoundAgent == "" && !selector.Match(a.labels):
			out.Reason = "It does not match " + x.Pool + "."
			others = append(others, out)
			continue
		case slices.Contains(x.Excluded, a.id):
			out.Reason = "It refused this execution for good."
		default:
			_, out.Reason = d.whyAgent(a.id)
		}
		matching = append(matching, out)
	}
	all := append(matching, others...)
	return all[:min(len(all), maxExplainedAgents)], nil
}
