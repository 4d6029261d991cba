package api

import (
	"context"
	"encoding/json"
	"fmt"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
	"octopus/server/dispatch"
	"octopus/server/store"
)

// ExecutionID is the path of one execution.
type ExecutionID struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the execution."`
}

type listExecutionsInput struct {
	Paged
	ByTime
	Status        []string `query:"status" doc:"queued, offered, running, succeeded, failed, timed_out, cancelled, lost, expired or rejected; several with commas."`
	Task          string   `query:"task" maxLength:"128" doc:"Name or id."`
	Run           string   `query:"run" maxLength:"64" doc:"Id of the run."`
	Agent         string   `query:"agent" maxLength:"128" doc:"Name or id."`
	Plugin        string   `query:"plugin" maxLength:"64" doc:"Name of the plugin."`
	CreatedSince  string   `query:"created_since" maxLength:"64" doc:"RFC 3339, or a time ago such as 24h."`
	CreatedUntil  string   `query:"created_until" maxLength:"64" doc:"RFC 3339, or a time ago such as 24h."`
	FinishedSince string   `query:"finished_since" maxLength:"64" doc:"RFC 3339, or a time ago such as 24h."`
	Text          string   `query:"q" maxLength:"256" doc:"Part of the task's, agent's or plugin's name or of the message."`
}

// filter translates the query.
func (in *listExecutionsInput) filter(ctx context.Context, a *API) (f store.ExecutionFilter, err error) {
	f = store.ExecutionFilter{RunID: in.Run, Plugin: in.Plugin, Text: in.Text}
	if f.Statuses, err = statuses(in.Status, octopus.Statuses); err != nil {
		return f, err
	}
	if f.TaskID, err = a.taskID(ctx, in.Task); err != nil {
		return f, err
	}
	if f.AgentID, err = a.agentID(ctx, in.Agent); err != nil {
		return f, err
	}
	if f.CreatedSince, err = since("created_since", in.CreatedSince, a.now()); err != nil {
		return f, err
	}
	if f.CreatedUntil, err = since("created_until", in.CreatedUntil, a.now()); err != nil {
		return f, err
	}
	f.FinishedSince, err = since("finished_since", in.FinishedSince, a.now())
	return f, err
}

func (a *API) listExecutions(ctx context.Context, in *listExecutionsInput) (*list[sdk.Execution], error) {
	f, err := in.filter(ctx, a)
	if err != nil {
		return nil, err
	}
	p := in.page()
	p.Descending = descending(in.Sort)
	executions, next, err := a.store.Executions(ctx, f, p)
	if err != nil {
		return nil, err
	}
	return page(executions, next, a.toExecution), nil
}

type getExecutionInput struct {
	Waits
	ExecutionID
}

func (a *API) getExecution(ctx context.Context, in *getExecutionInput) (*one[sdk.Execution], error) {
	x, err := a.store.Execution(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if wait := in.duration(); wait > 0 && !x.Status.Terminal() {
		waiting, done := a.untilStop(ctx)
		defer done()
		if err = a.dispatch.WaitExecution(waiting, x.ID, wait); err != nil {
			return nil, err
		}
		if x, err = a.store.Execution(ctx, x.ID); err != nil {
			return nil, err
		}
	}
	return a.wholeExecution(ctx, x)
}

// wholeExecution adds what lists leave out.
func (a *API) wholeExecution(ctx context.Context, x octopus.Execution) (*one[sdk.Execution], error) {
	out := &one[sdk.Execution]{Body: a.toExecution(x)}
	out.Body.Params = a.catalog.Mask(ctx, x.Digest, x.Action, x.Params)
	var err error
	if out.Body.Response, err = toResponse(x); err != nil {
		return nil, err
	}
	attempts, err := a.store.Attempts(ctx, x.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range attempts {
		out.Body.Attempts = append(out.Body.Attempts, toAttempt(t))
	}
	if m, err := a.catalog.Manifest(ctx, x.Digest); err == nil { // a version that is gone says nothing any more
		out.Body.Unsandboxed = m.Capabilities.Unsandboxed()
	}
	intents, err := dispatch.Intents(ctx, a.store, x)
	if err != nil {
		return nil, err
	}
	for _, i := range intents {
		out.Body.Intents = append(out.Body.Intents, sdk.Intent(i))
	}
	late, err := a.dispatch.LateResults(ctx, x)
	for _, l := range late {
		out.Body.LateResults = append(out.Body.LateResults, toLateResult(l))
	}
	return out, err
}

// toResponse is nil where there is none yet.
func toResponse(x octopus.Execution) (*sdk.Response, error) {
	if len(x.Response) == 0 {
		return nil, nil
	}
	r := new(sdk.Response)
	if err := json.Unmarshal(x.Response, r); err != nil {
		return nil, fmt.Errorf("stored response of %s: %w", x.ID, err)
	}
	return r, nil
}

func (a *API) listExecutionEvents(ctx context.Context, in *ExecutionID) (*list[sdk.Event], error) {
	if _, err := a.store.Execution(ctx, in.ID); err != nil {
		return nil, err
	}
	events, err := a.store.Events(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return page(events, "", toEvent), nil
}

func (a *API) explainExecution(ctx context.Context, in *ExecutionID) (*one[sdk.Explanation], error) {
	e, err := a.dispatch.Explain(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &one[sdk.Explanation]{Body: toExplanation(e)}, nil
}

func (a *API) listExecutionResults(ctx context.Context, in *ExecutionID) (*list[sdk.NamedResult], error) {
	if _, err := a.store.Execution(ctx, in.ID); err != nil {
		return nil, err
	}
	results, err := a.store.Results(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return page(results, "", toNamedResult), nil
}

// endable returns an execution that the caller may end.
func (a *API) endable(ctx context.Context, id string) (octopus.Execution, auth.Subject, error) {
	x, err := a.store.Execution(ctx, id)
	if err != nil {
		return x, auth.Subject{}, err
	}
	caller, err := auth.Allow(ctx, auth.ExecutionCancel, auth.Object{Kind: "execution", ID: x.ID, Owner: x.CreatedBy})
	return x, caller, err
}

func (a *API) cancelExecution(ctx context.Context, in *ExecutionID) (*one[sdk.Execution], error) {
	x, caller, err := a.endable(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if _, err = a.dispatch.Cancel(ctx, x.ID, caller.Username); err != nil {
		return nil, err
	}
	return a.getExecution(ctx, &getExecutionInput{ExecutionID: *in})
}

func (a *API) forceClose(ctx context.Context, in *ExecutionID) (*one[sdk.Execution], error) {
	x, caller, err := a.endable(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if _, err = a.dispatch.ForceClose(ctx, x.ID, caller.Username); err != nil {
		return nil, err
	}
	return a.getExecution(ctx, &getExecutionInput{ExecutionID: *in})
}

type retryExecutionInput struct {
	Keyed
	Prefers
	Origin
	ExecutionID
}

func (a *API) retryExecution(ctx context.Context, in *retryExecutionInput) (*created[sdk.Run], error) {
	x, err := a.store.Execution(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	caller, err := auth.Allow(ctx, runAction(x.TaskID), auth.Object{Kind: "execution", ID: x.ID})
	if err != nil {
		return nil, err
	}
	key, err := in.idempotency(ctx, "POST /executions/"+x.ID+"/retry")
	if err != nil {
		return nil, err
	}
	return a.starting(ctx, key, in.Prefers, func() (octopus.Run, bool, error) {
		return a.dispatch.Retry(ctx, x.ID, caller.Username, in.source(), key)
	})
}
