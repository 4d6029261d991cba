package octopus

import (
	"encoding/json"
	"time"
)

// SubmissionStatus is where a submitted module is on its way into the catalogue.
type SubmissionStatus string

// The states of a submission. Only in_review is not final: a module that was refused is submitted anew.
const (
	SubmissionFailed    SubmissionStatus = "failed"    // a check found a fault; nobody reviews it
	SubmissionInReview  SubmissionStatus = "in_review" // it waits for a reviewer
	SubmissionRejected  SubmissionStatus = "rejected"
	SubmissionPublished SubmissionStatus = "published" // approved, which publishes it
	SubmissionWithdrawn SubmissionStatus = "withdrawn" // by its author
)

// SubmissionStatuses are all of them.
var SubmissionStatuses = []SubmissionStatus{SubmissionInReview, SubmissionFailed, SubmissionRejected, SubmissionPublished, SubmissionWithdrawn}

// Submission is a module that somebody wants published. Nothing resolves to it and no agent gets it before that.
type Submission struct {
	ID        string
	Plugin    string
	Version   string
	Digest    string // "sha256:" + hex
	Size      int64
	Status    SubmissionStatus
	Manifest  json.RawMessage // spec.Manifest
	Note      string          // the author's, for the reviewer
	Checks    []Check
	CreatedAt time.Time
	CreatedBy string
	DecidedAt time.Time // zero while it is in review
	DecidedBy string
	Comment   string // of whoever decided
}

// CheckStatus is how an automatic check went.
type CheckStatus string

// The outcomes of a check. A warning is for the reviewer to weigh.
const (
	CheckOK      CheckStatus = "ok"
	CheckWarning CheckStatus = "warning"
	CheckFailed  CheckStatus = "failed"
)

// Check is one automatic check of a submission.
type Check struct {
	Name    string      `json:"name"`
	Status  CheckStatus `json:"status"`
	Message string      `json:"message,omitempty"`
	TookMS  int64       `json:"took_ms,omitempty"`
}

// PluginEventKind is what happened to a plugin.
type PluginEventKind string

// What the history of a plugin records.
const (
	PluginSubmitted     PluginEventKind = "submitted"
	PluginChecksFailed  PluginEventKind = "checks_failed"
	PluginRejected      PluginEventKind = "rejected"
	PluginWithdrawn     PluginEventKind = "withdrawn"
	PluginPublished     PluginEventKind = "published"
	PluginStatusChanged PluginEventKind = "status_changed" // of a version; the message is the new status
	PluginSwitched      PluginEventKind = "switched"       // the plugin as a whole: the message is enabled or disabled
	PluginGranted       PluginEventKind = "granted"
	PluginGrantRevoked  PluginEventKind = "grant_revoked"
	PluginModuleRefused PluginEventKind = "module_refused" // an agent would not load the module
	PluginConfigured    PluginEventKind = "configured"     // the message names the settings, never their values
	PluginRingMoved     PluginEventKind = "ring_moved"     // a version reached other rings, or was stopped
)

// PluginEvent is one line of a plugin's history: who did what to which version, and when.
type PluginEvent struct {
	ID      string
	Plugin  string
	Version string
	Digest  string
	Kind    PluginEventKind
	Actor   string // a user name, the name of an agent, or "octopus"
	Message string
	At      time.Time
}

// Signature is what a key of the server's says of a published module: Ed25519 over the statement that internal/wire
// defines.
type Signature struct {
	Key       string // 16 hex digits that name the key
	Signature []byte
}
