package dispatch

import (
	"context"
	"fmt"

	"octopus/internal/octopus"
)

// Explain says why an execution is where it is: what happened to it step by step and, while it waits, of each agent
// why it does not run there.
func (d *Dispatcher) Explain(ctx context.Context, executionID string) (octopus.Explanation, error) {
	x, err := d.store.Execution(ctx, executionID)
	if err != nil {
		return octopus.Explanation{}, err
	}
	events, err := d.store.Events(ctx, executionID)
	if err != nil {
		return octopus.Explanation{}, err
	}
	e := octopus.Explanation{Execution: x, Steps: stepsOf(events)}
	if e.Late, err = d.late(ctx, x, events); err != nil {
		return e, err
	}
	if x.Mode == octopus.TargetAll || x.Status == octopus.Queued {
		run, err := d.store.Run(ctx, x.RunID)
		if err != nil {
			return e, err
		}
		e.LeftOut = run.LeftOut
	}
	if x.Status == octopus.Queued {
		if e.Agents, err = d.candidates(ctx, x, e.Steps); err != nil {
			return e, err
		}
	}
	e.Summary, e.Next = summary(x, e.Steps), forecast(x)
	return e, nil
}

// summary is where an execution is and why, in one or two sentences.
func summary(x octopus.Execution, steps []octopus.Step) string {
	switch x.Status {
	case octopus.Queued:
		text := "It waits for an agent."
		if x.Waiting != nil && x.Waiting.Message != "" {
			text = x.Waiting.Message
		}
		if n := refusals(steps); n > 0 {
			text += fmt.Sprintf(" So far %s came to nothing.", offers(n))
		}
		return text
	case octopus.Offered:
		return x.AgentName + " was offered it and has not answered yet."
	case octopus.Running:
		return runningSummary(x)
	case octopus.Succeeded:
		return fmt.Sprintf("It succeeded on %s.", x.AgentName)
	}
	text := fmt.Sprintf("It %s.", verb(x.Status))
	if x.Reason != nil && x.Reason.Message != "" {
		text = x.Reason.Message
	}
	return text + aftermath(x)
}

func runningSummary(x octopus.Execution) string {
	switch {
	case x.Cancelling && x.Silent:
		return fmt.Sprintf("%s asked for it to end, but %s is not heard.", x.CancelledBy, x.AgentName)
	case x.Cancelling:
		return fmt.Sprintf("%s asked for it to end; %s has not confirmed that yet.", x.CancelledBy, x.AgentName)
	case x.Silent:
		return fmt.Sprintf("%s is not heard. The plugin may still run there; its true result is recorded when the agent comes back.", x.AgentName)
	case x.StartedAt.IsZero():
		return fmt.Sprintf("%s took it and gets the plugin ready.", x.AgentName)
	}
	return fmt.Sprintf("It runs on %s, attempt %d.", x.AgentName, x.Attempt)
}

// aftermath is what the end leaves open.
func aftermath(x octopus.Execution) string {
	switch {
	case x.Status == octopus.Lost && x.OnLost == octopus.OnLostRetry && x.Attempt >= x.MaxAttempts:
		return " No attempt was left to start it again."
	case x.Status == octopus.Lost && x.OnLost != octopus.OnLostRetry:
		return " Whether the plugin finished there is not known, so it is not started again."
	case x.Reason != nil && x.Reason.Code == "force_closed" && !x.GoAt.IsZero():
		return fmt.Sprintf(" The plugin may have gone on for a while: %s was told to kill it, and nobody waited for that.", x.AgentName)
	}
	return ""
}

// forecast is what the next timer does.
func forecast(x octopus.Execution) *octopus.Forecast {
	switch {
	case x.Status == octopus.Queued && !x.NotBefore.IsZero():
		return &octopus.Forecast{At: x.NotBefore, Message: "The next attempt may be offered."}
	case x.Status == octopus.Queued && !x.DeadlineAt.IsZero() && (x.WaitUntil.IsZero() || x.DeadlineAt.Before(x.WaitUntil)):
		return &octopus.Forecast{At: x.DeadlineAt, Message: "Its deadline passes: it ends as timed out."}
	case x.Status == octopus.Queued && !x.WaitUntil.IsZero():
		return &octopus.Forecast{At: x.WaitUntil, Message: "It expires, unless an agent takes it before."}
	case x.Status == octopus.Offered && !x.OfferExpiresAt.IsZero():
		return &octopus.Forecast{At: x.OfferExpiresAt, Message: "The offer is withdrawn, and another agent gets it."}
	case x.Status == octopus.Running && !x.DeadlineAt.IsZero() && x.Cancelling:
		return &octopus.Forecast{At: x.DeadlineAt, Message: "It ends as lost, unless the agent confirms before."}
	case x.Status == octopus.Running && !x.DeadlineAt.IsZero() && x.Silent:
		return &octopus.Forecast{At: x.DeadlineAt, Message: "It ends as lost at the latest, unless the agent comes back before."}
	case x.Status == octopus.Running && !x.DeadlineAt.IsZero():
		return &octopus.Forecast{At: x.DeadlineAt, Message: "Its time is over: the server ends it, if its agent did not."}
	}
	return nil
}

// refusals counts the offers that came to nothing.
func refusals(steps []octopus.Step) (n int) {
	for _, s := range steps {
		if s.Outcome == "withdrawn" || s.Outcome == "rejected" {
			n += s.Count
		}
	}
	return n
}

func offers(n int) string {
	if n == 1 {
		return "one offer"
	}
	return fmt.Sprintf("%d offers", n)
}
