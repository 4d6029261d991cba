package api

import (
	"context"
	"strings"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/auth"
	"octopus/server/dispatch"
	"octopus/server/store"
)

const (
	// shownExecutions is how many executions a run shows itself.
	shownExecutions = 100
	// maxShownResponse is the largest response, in bytes, that is shown with its run.
	maxShownResponse = 64 << 10
)

type startRunInput struct {
	Keyed
	Prefers
	Origin
	Body sdk.StartRun
}

// startRun is the hot path: one submission, and one read of what it made unless return=minimal.
func (a *API) startRun(ctx context.Context, in *startRunInput) (*created[sdk.Run], error) {
	key, err := in.idempotency(ctx, "POST /runs")
	if err != nil {
		return nil, err
	}
	if err := checkTarget(in.Body.Target); err != nil {
		return nil, err
	}
	if err := octopus.CheckLabels(in.Body.Labels); err != nil {
		return nil, err
	}
	caller, _ := auth.FromContext(ctx)
	return a.starting(ctx, key, in.Prefers, func() (octopus.Run, bool, error) {
		return a.dispatch.Submit(ctx, dispatch.Submission{
			Work: fromWork(in.Body.Work), Labels: in.Body.Labels, By: caller.Username, Source: in.source(), Key: key,
		})
	})
}

// starting starts a run, or returns the one that an earlier call with the same key made: also where what has changed
// since, such as a plugin that was disabled, would refuse it now. The transaction that stores a run looks for the key,
// so that only a refusal has to: most keys are new, and reading ahead for them cost a twentieth of the server's time.
func (a *API) starting(ctx context.Context, key *store.Idempotency, p Prefers, start func() (octopus.Run, bool, error)) (*created[sdk.Run], error) {
	run, replay, err := start()
	if err != nil {
		before, made, failed := a.store.Replayed(ctx, key)
		switch {
		case octopus.CodeOf(failed) == octopus.CodeConflict: // the key is another request's
			return nil, failed
		case failed != nil || !made:
			return nil, err
		}
		run, replay = before, true
	}
	return a.startedRun(ctx, run, replay, p)
}

// startedRun waits where that was asked for. Giving up the wait is no failure: the run exists.
func (a *API) startedRun(ctx context.Context, run octopus.Run, replay bool, p Prefers) (*created[sdk.Run], error) {
	wait, minimal := p.parse()
	var only *octopus.Execution
	if wait > 0 && !run.Status().Terminal() {
		waiting, done := a.untilStop(ctx)
		if ended, x, err := a.dispatch.WaitRun(waiting, run, wait); err == nil {
			run, only = ended, x
		}
		done()
	}
	body, err := toRun(run), error(nil)
	if !minimal {
		body, err = a.wholeRun(ctx, run, only)
	}
	return made(Prefix+"/runs/"+run.ID, replay, body), err
}

// wholeRun is a run with its parameters and its first executions. only is the one that it has, where it is known.
func (a *API) wholeRun(ctx context.Context, run octopus.Run, only *octopus.Execution) (sdk.Run, error) {
	out := toRun(run)
	out.Params = a.catalog.Mask(ctx, run.Digest, run.Action, run.Params)
	if only != nil {
		return out, a.showOnly(&out, *only)
	}
	executions, _, err := a.store.RunExecutions(ctx, run.ID, store.Page{Limit: shownExecutions})
	if err != nil {
		return out, err
	}
	if run.Total == 1 && len(executions) == 1 && executions[0].Status.Terminal() {
		x, err := a.store.Execution(ctx, executions[0].ID)
		if err != nil {
			return out, err
		}
		return out, a.showOnly(&out, x)
	}
	for _, x := range executions {
		out.Executions = append(out.Executions, a.toExecution(x))
	}
	return out, nil
}

// showOnly shows a run's only execution with its response, so that whoever waited for it need not ask again.
func (a *API) showOnly(run *sdk.Run, x octopus.Execution) (err error) {
	shown := a.toExecution(x)
	if len(x.Response) <= maxShownResponse {
		shown.Response, err = toResponse(x)
	}
	run.Executions = []sdk.Execution{shown}
	return err
}

type listRunsInput struct {
	Paged
	ByTime
	Status       []string `query:"status" doc:"queued, running, succeeded, failed or cancelled; several with commas."`
	Task         string   `query:"task" maxLength:"128" doc:"Name or id."`
	Plugin       string   `query:"plugin" maxLength:"64" doc:"Name of the plugin."`
	CreatedBy    string   `query:"created_by" maxLength:"64" doc:"User name of who started it."`
	CreatedSince string   `query:"created_since" maxLength:"64" doc:"RFC 3339, or a time ago such as 24h."`
	CreatedUntil string   `query:"created_until" maxLength:"64" doc:"RFC 3339, or a time ago such as 24h."`
	Text         string   `query:"q" maxLength:"256" doc:"Part of the task's or plugin's name."`
}

var runStatuses = []octopus.RunStatus{octopus.RunQueued, octopus.RunRunning, octopus.RunSucceeded, octopus.RunFailed, octopus.RunCancelled}

func (a *API) listRuns(ctx context.Context, in *listRunsInput) (*list[sdk.Run], error) {
	f := store.RunFilter{Plugin: in.Plugin, CreatedBy: in.CreatedBy, Text: in.Text}
	var err error
	if f.Statuses, err = statuses(in.Status, runStatuses); err != nil {
		return nil, err
	}
	if f.TaskID, err = a.taskID(ctx, in.Task); err != nil {
		return nil, err
	}
	if f.CreatedSince, err = since("created_since", in.CreatedSince, a.now()); err != nil {
		return nil, err
	}
	if f.CreatedUntil, err = since("created_until", in.CreatedUntil, a.now()); err != nil {
		return nil, err
	}
	p := in.page()
	p.Descending = descending(in.Sort)
	runs, next, err := a.store.Runs(ctx, f, p)
	if err != nil {
		return nil, err
	}
	return page(runs, next, toRun), nil
}

type getRunInput struct {
	Waits
	ID string `path:"id" maxLength:"64" doc:"Id of the run."`
}

func (a *API) getRun(ctx context.Context, in *getRunInput) (*one[sdk.Run], error) {
	run, err := a.store.Run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	var only *octopus.Execution
	if wait := in.duration(); wait > 0 && !run.Status().Terminal() {
		waiting, done := a.untilStop(ctx)
		defer done()
		if run, only, err = a.dispatch.WaitRun(waiting, run, wait); err != nil {
			return nil, err
		}
	}
	out := &one[sdk.Run]{}
	out.Body, err = a.wholeRun(ctx, run, only)
	return out, err
}

type listRunExecutionsInput struct {
	Paged
	ID string `path:"id" maxLength:"64" doc:"Id of the run."`
}

func (a *API) listRunExecutions(ctx context.Context, in *listRunExecutionsInput) (*list[sdk.Execution], error) {
	if _, err := a.store.Run(ctx, in.ID); err != nil {
		return nil, err
	}
	executions, next, err := a.store.RunExecutions(ctx, in.ID, in.page())
	if err != nil {
		return nil, err
	}
	return page(executions, next, a.toExecution), nil
}

type runID struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the run."`
}

func (a *API) cancelRun(ctx context.Context, in *runID) (*one[sdk.Run], error) {
	return a.endRun(ctx, in, a.dispatch.CancelRun)
}

func (a *API) forceCloseRun(ctx context.Context, in *runID) (*one[sdk.Run], error) {
	return a.endRun(ctx, in, a.dispatch.ForceCloseRun)
}

func (a *API) endRun(ctx context.Context, in *runID, end func(ctx context.Context, runID, by string) (octopus.Run, error)) (*one[sdk.Run], error) {
	run, err := a.store.Run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	caller, err := auth.Allow(ctx, auth.ExecutionCancel, auth.Object{Kind: "run", ID: run.ID, Owner: run.CreatedBy})
	if err != nil {
		return nil, err
	}
	if run, err = end(ctx, run.ID, caller.Username); err != nil {
		return nil, err
	}
	out := &one[sdk.Run]{}
	out.Body, err = a.wholeRun(ctx, run, nil)
	return out, err
}

type retryRunInput struct {
	Keyed
	Prefers
	Origin
	ID   string        `path:"id" maxLength:"64" doc:"Id of the run."`
	Body *sdk.RetryRun `required:"false"`
}

func (a *API) retryRun(ctx context.Context, in *retryRunInput) (*created[sdk.Run], error) {
	before, err := a.store.Run(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	caller, err := auth.Allow(ctx, runAction(before.TaskID), auth.Object{Kind: "run", ID: before.ID})
	if err != nil {
		return nil, err
	}
	key, err := in.idempotency(ctx, "POST /runs/"+before.ID+"/retry")
	if err != nil {
		return nil, err
	}
	onlyFailed := in.Body != nil && in.Body.Only == "failed"
	return a.starting(ctx, key, in.Prefers, func() (octopus.Run, bool, error) {
		return a.dispatch.RetryRun(ctx, before.ID, onlyFailed, caller.Username, in.source(), key)
	})
}

// runAction is what running something again needs: as much as running it did.
func runAction(taskID string) auth.Action {
	if taskID != "" {
		return auth.RunTask
	}
	return auth.RunAdhoc
}

// Origin tells the command line from other programs, for the source of a run.
type Origin struct {
	UserAgent string `header:"User-Agent" hidden:"true"`
}

func (o Origin) source() string {
	if strings.HasPrefix(o.UserAgent, "octopus-cli") {
		return "cli"
	}
	return "api"
}
