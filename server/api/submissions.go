package api

import (
	"context"
	"encoding/json"
	"fmt"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/sdk/spec"
	"octopus/server/auth"
	"octopus/server/store"
)

// toSubmission is the form of lists: without the comparison.
func toSubmission(s octopus.Submission) sdk.Submission {
	out := sdk.Submission{
		ID: s.ID, Plugin: s.Plugin, Version: s.Version, Digest: s.Digest, SizeBytes: s.Size, Status: string(s.Status), Note: s.Note,
		Checks: []sdk.Check{}, CreatedAt: utc(s.CreatedAt), CreatedBy: s.CreatedBy, DecidedAt: utc(s.DecidedAt), DecidedBy: s.DecidedBy,
		Comment: s.Comment,
	}
	for _, c := range s.Checks {
		out.Checks = append(out.Checks, sdk.Check{Name: c.Name, Status: string(c.Status), Message: c.Message, TookMS: c.TookMS})
	}
	return out
}

// compared adds the manifest, and what it asks for beside the version before.
func (a *API) compared(ctx context.Context, s octopus.Submission) (sdk.Submission, error) {
	out := toSubmission(s)
	out.Manifest = s.Manifest
	var m spec.Manifest
	if err := json.Unmarshal(s.Manifest, &m); err != nil {
		return out, fmt.Errorf("manifest of submission %s: %w", s.ID, err)
	}
	c, err := a.catalog.Compare(ctx, m)
	if err != nil {
		return out, err
	}
	out.Before = c.Before
	for _, ask := range c.Asks {
		out.Asks = append(out.Asks, sdk.Ask{Phrase: ask.Phrase, New: ask.New, Granted: ask.Granted})
	}
	return out, nil
}

type submitInput struct {
	Note    string `query:"note" maxLength:"4096" doc:"For the reviewer."`
	RawBody []byte `contentType:"application/wasm" doc:"A packed module, as octopus plugins pack makes it."`
}

// submitPlugin is safe to repeat without a key: the same bytes are the same submission while they are in review.
func (a *API) submitPlugin(ctx context.Context, in *submitInput) (*created[sdk.Submission], error) {
	caller, _ := auth.FromContext(ctx)
	before := a.now()
	s, err := a.catalog.Submit(ctx, bodyOf(ctx), in.Note, caller.Username)
	if err != nil {
		return nil, err
	}
	out, err := a.compared(ctx, s)
	if err != nil {
		return nil, err
	}
	return made(Prefix+"/submissions/"+s.ID, s.CreatedAt.Before(before.Truncate(1000)), out), nil
}

type listSubmissionsInput struct {
	Paged
	ByTime
	Status string `query:"status" enum:"failed,in_review,rejected,published,withdrawn" doc:"Only those."`
	Plugin string `query:"plugin" maxLength:"64" doc:"Name of the plugin."`
	Mine   bool   `query:"mine" doc:"Only the caller's own."`
}

// listSubmissions shows administrators everything, others what is theirs.
func (a *API) listSubmissions(ctx context.Context, in *listSubmissionsInput) (*list[sdk.Submission], error) {
	caller, _ := auth.FromContext(ctx)
	f := store.SubmissionFilter{Status: octopus.SubmissionStatus(in.Status), Plugin: in.Plugin}
	if in.Mine || auth.Can(caller, auth.PluginManage, auth.Object{}) != nil {
		f.CreatedBy = caller.Username
	}
	p := in.page()
	p.Descending = descending(in.Sort)
	items, next, err := a.store.Submissions(ctx, f, p)
	if err != nil {
		return nil, err
	}
	return page(items, next, toSubmission), nil
}

// SubmissionID is the path of one submission.
type SubmissionID struct {
	ID string `path:"id" maxLength:"64" doc:"Id of the submission."`
}

// submission finds a submission that the caller may see.
func (a *API) submission(ctx context.Context, id string) (octopus.Submission, error) {
	s, err := a.store.Submission(ctx, id)
	if err != nil {
		return s, err
	}
	caller, _ := auth.FromContext(ctx)
	if s.CreatedBy != caller.Username && auth.Can(caller, auth.PluginManage, auth.Object{}) != nil {
		return octopus.Submission{}, octopus.Errorf(octopus.CodeNotFound, "There is no submission %q of yours.", id)
	}
	return s, nil
}

func (a *API) getSubmission(ctx context.Context, in *SubmissionID) (*one[sdk.Submission], error) {
	s, err := a.submission(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out, err := a.compared(ctx, s)
	return &one[sdk.Submission]{Body: out}, err
}

type decisionInput struct {
	SubmissionID
	Body *sdk.Decision `required:"false"`
}

// decision is what the reviewer said, nothing where there is no body.
func (in *decisionInput) decision() sdk.Decision {
	if in.Body == nil {
		return sdk.Decision{}
	}
	return *in.Body
}

func (a *API) approveSubmission(ctx context.Context, in *decisionInput) (*one[sdk.Submission], error) {
	caller, _ := auth.FromContext(ctx)
	d := in.decision()
	if d.Grant {
		if err := auth.Can(caller, auth.GrantManage, auth.Object{}); err != nil {
			return nil, err
		}
	}
	v, err := a.catalog.ApproveInto(ctx, in.ID, d.Comment, octopus.Ring(d.Ring), caller.Username)
	if err == nil && d.Grant {
		err = a.catalog.GrantAll(ctx, v.Digest, caller.Username)
	}
	if err != nil {
		return nil, err
	}
	return a.getSubmission(ctx, &in.SubmissionID)
}

func (a *API) rejectSubmission(ctx context.Context, in *decisionInput) (*one[sdk.Submission], error) {
	caller, _ := auth.FromContext(ctx)
	if err := a.catalog.Reject(ctx, in.ID, in.decision().Comment, caller.Username); err != nil {
		return nil, err
	}
	return a.getSubmission(ctx, &in.SubmissionID)
}

func (a *API) withdrawSubmission(ctx context.Context, in *SubmissionID) (*one[sdk.Submission], error) {
	if _, err := a.submission(ctx, in.ID); err != nil {
		return nil, err
	}
	caller, _ := auth.FromContext(ctx)
	if err := a.catalog.Withdraw(ctx, in.ID, caller.Username); err != nil {
		return nil, err
	}
	return a.getSubmission(ctx, in)
}

type listPluginEventsInput struct {
	PluginName
	Paged
	ByTime
}

func (a *API) listPluginEvents(ctx context.Context, in *listPluginEventsInput) (*list[sdk.PluginEvent], error) {
	p := in.page()
	p.Descending = descending(in.Sort)
	items, next, err := a.store.PluginEvents(ctx, in.Name, p)
	if err != nil {
		return nil, err
	}
	return page(items, next, toPluginEvent), nil
}

func toPluginEvent(e octopus.PluginEvent) sdk.PluginEvent {
	return sdk.PluginEvent{ID: e.ID, Plugin: e.Plugin, Version: e.Version, Digest: e.Digest, Kind: string(e.Kind), Actor: e.Actor, Message: e.Message, At: utc(e.At)}
}
