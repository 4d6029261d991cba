package sdk

import (
	"context"
	"encoding/json"
	"net/url"
	"time"
)

// Submission is a module that somebody wants published.
type Submission struct {
	ID        string          `json:"id"`
	Plugin    string          `json:"plugin"`
	Version   string          `json:"version"`
	Digest    string          `json:"digest"`
	SizeBytes int64           `json:"size_bytes"`
	Status    string          `json:"status" enum:"failed,in_review,rejected,published,withdrawn"`
	Manifest  json.RawMessage `json:"manifest,omitempty"`
	Note      string          `json:"note,omitempty" doc:"The author's, for the reviewer."`
	Checks    []Check         `json:"checks" doc:"What was checked by itself before anybody looked."`
	Before    string          `json:"before,omitempty" doc:"The version of the plugin that runs get now, with which it is compared; left out of lists."`
	Asks      []Ask           `json:"asks,omitempty" doc:"What it wants to be allowed; left out of lists."`
	CreatedAt time.Time       `json:"created_at"`
	CreatedBy string          `json:"created_by"`
	DecidedAt time.Time       `json:"decided_at,omitzero"`
	DecidedBy string          `json:"decided_by,omitempty"`
	Comment   string          `json:"comment,omitempty" doc:"Of whoever decided."`
}

// Check is one automatic check of a submission.
type Check struct {
	Name    string `json:"name"`
	Status  string `json:"status" enum:"ok,warning,failed"`
	Message string `json:"message,omitempty"`
	TookMS  int64  `json:"took_ms,omitempty"`
}

// Ask is one thing that a version wants to be allowed.
type Ask struct {
	Phrase  string `json:"phrase" doc:"For people, such as \"http to any host\"."`
	New     bool   `json:"new" doc:"The version before did not ask for it."`
	Granted bool   `json:"granted" doc:"The version before was granted it."`
}

// Decision is the body of a review.
type Decision struct {
	Comment string `json:"comment,omitempty" maxLength:"4096"`
	Grant   bool   `json:"grant,omitempty" doc:"Approve only: also grant all that it asks for."`
	Ring    string `json:"ring,omitempty" enum:"canary,early,all" doc:"Approve only: which runs get it. Left out: as plugins.ring says."`
}

// SubmissionFilter narrows a list of submissions.
type SubmissionFilter struct {
	List
	Status string // one of Submission.Status; "" is all
	Plugin string
	Mine   bool // only the caller's own
}

func (f SubmissionFilter) values() url.Values {
	q := f.List.values()
	set(q, "status", f.Status)
	set(q, "plugin", f.Plugin)
	if f.Mine {
		q.Set("mine", "true")
	}
	return q
}

// PluginEvent is one line of a plugin's history.
type PluginEvent struct {
	ID      string    `json:"id"`
	Plugin  string    `json:"plugin"`
	Version string    `json:"version,omitempty"`
	Digest  string    `json:"digest,omitempty"`
	Kind    string    `json:"kind" doc:"submitted, checks_failed, rejected, withdrawn, published, status_changed, switched, granted, grant_revoked, module_refused, ring_moved."`
	Actor   string    `json:"actor" doc:"Who did it: a user, an agent, or octopus."`
	Message string    `json:"message,omitempty"`
	At      time.Time `json:"at"`
}

// SubmitPlugin asks for a packed module to be reviewed and published. It answers when the module was tried.
func (c *Client) SubmitPlugin(ctx context.Context, wasm []byte, note string, options ...CallOption) (s Submission, err error) {
	q := url.Values{}
	if note != "" {
		q.Set("note", note)
	}
	err = c.do(ctx, "POST", "/submissions", q, module(wasm), &s, options...)
	return s, err
}

// Submissions lists submissions, the newest first: everybody's for administrators, else the caller's own.
func (c *Client) Submissions(ctx context.Context, f SubmissionFilter) (page Page[Submission], err error) {
	err = c.do(ctx, "GET", "/submissions", f.values(), nil, &page)
	return page, err
}

// Submission returns one submission with its checks, and what it asks for beside the version before.
func (c *Client) Submission(ctx context.Context, id string) (s Submission, err error) {
	err = c.do(ctx, "GET", path("submissions", id), nil, nil, &s)
	return s, err
}

// ApproveSubmission publishes a submission.
func (c *Client) ApproveSubmission(ctx context.Context, id string, d Decision) (s Submission, err error) {
	err = c.do(ctx, "POST", path("submissions", id, "approve"), nil, d, &s)
	return s, err
}

// RejectSubmission ends a review without publishing. It needs a comment.
func (c *Client) RejectSubmission(ctx context.Context, id string, d Decision) (s Submission, err error) {
	err = c.do(ctx, "POST", path("submissions", id, "reject"), nil, d, &s)
	return s, err
}

// WithdrawSubmission takes back one's own submission.
func (c *Client) WithdrawSubmission(ctx context.Context, id string) (s Submission, err error) {
	err = c.do(ctx, "POST", path("submissions", id, "withdraw"), nil, nil, &s)
	return s, err
}

// PluginEvents returns the history of a plugin, the newest first.
func (c *Client) PluginEvents(ctx context.Context, name string) (page Page[PluginEvent], err error) {
	err = c.do(ctx, "GET", path("plugins", name, "events"), nil, nil, &page)
	return page, err
}
