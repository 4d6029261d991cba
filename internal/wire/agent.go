package wire

import (
	"encoding/json"

	"octopus/internal/octopus"
)

// Phase is how far an agent's journal says that an execution got.
type Phase string

// The phases of an execution in an agent's journal.
const (
	PhaseAccepted Phase = "accepted" // noted; the guest never started
	PhaseStarted  Phase = "started"  // the guest was started
	PhaseDone     Phase = "done"     // a result is kept until the server has it
)

// Item is one execution in an agent's journal.
type Item struct {
	Execution string `json:"execution"`
	Attempt   int    `json:"attempt"`
	Fence     int64  `json:"fence"`
	Phase     Phase  `json:"phase"`
}

// Hello opens a session. An agent with more than [HelloPage] items sends several; the last has End set, and
// nothing is declared lost before it. Incarnation is random per agent process, JournalID per journal file: with
// another journal the absence of an item proves nothing.
type Hello struct {
	Agent       string        `json:"agent"`
	Incarnation string        `json:"incarnation"`
	JournalID   string        `json:"journal_id"`
	Version     int           `json:"version"`
	Facts       octopus.Facts `json:"facts"`
	Free        int           `json:"free"`
	Seq         int64         `json:"seq,omitempty"`  // of the hello in this session, from 1: one that comes again is not heard
	Page        int           `json:"page,omitempty"` // of the hello, from 0
	Items       []Item        `json:"items,omitempty"`
	End         bool          `json:"end"`
}

// Heartbeat says that the agent lives. Digest is [DigestItems] over what it holds.
type Heartbeat struct {
	Seq       int64   `json:"seq"`
	Free      int     `json:"free"`
	LastOffer int64   `json:"last_offer"` // sequence of the last offer seen
	Digest    string  `json:"digest"`
	Load      float64 `json:"load"` // one-minute load average
}

// Accept takes an offer. It is repeated every 5 s until go, withdrawn or cancel answers it.
type Accept struct {
	Execution string `json:"execution"`
	Fence     int64  `json:"fence"`
}

// RejectReason says why an agent does not take an offer.
type RejectReason string

// The reasons of a reject. The first two are for now, the others for good.
const (
	RejectBusy    RejectReason = "busy"
	RejectNoSpace RejectReason = "no_space"
	RejectPolicy  RejectReason = "policy"
	RejectSandbox RejectReason = "sandbox"
	RejectPlugin  RejectReason = "plugin" // the module cannot be had, checked or compiled here
)

// Reject declines an offer, with a sentence for people.
type Reject struct {
	Execution string       `json:"execution"`
	Fence     int64        `json:"fence"`
	Reason    RejectReason `json:"reason"`
	Message   string       `json:"message"`
	Free      int          `json:"free"`
	LastOffer int64        `json:"last_offer"`
}

// Prepared tells what came before the guest: it is an event, not a state. Started says that the guest runs now.
type Prepared struct {
	Execution  string `json:"execution"`
	Fence      int64  `json:"fence"`
	DownloadMS int64  `json:"download_ms"`
	CompileMS  int64  `json:"compile_ms"`
	ReadyMS    int64  `json:"ready_ms"` // from go to the start of the guest
	Started    bool   `json:"started"`
}

// Progress is a running execution's word on how far it is. It may be lost.
type Progress struct {
	Execution string  `json:"execution"`
	Fence     int64   `json:"fence"`
	Fraction  float64 `json:"fraction"`
	Message   string  `json:"message,omitempty"`
}

// Result ends an attempt. Response is the plugin response as JSON, or, above [MaxInline], BlobSHA256 names the
// bytes that were put to /api/v1/agent/blobs/{sha256} before. Where what the plugin printed is no response, the agent's
// own response says so, and Invalid is the head of what was printed; Usage.OutputBytes says how much there was. Files
// that the plugin handed over are an upload of their own, as [EncodeArtifacts] makes it; ArtifactsLost says, as a
// sentence, why those that there were are not there.
type Result struct {
	Execution       string          `json:"execution"`
	Attempt         int             `json:"attempt"`
	Fence           int64           `json:"fence"`
	Outcome         octopus.Status  `json:"outcome"`          // succeeded, failed, timed_out, cancelled or lost
	Reason          string          `json:"reason,omitempty"` // code of a host-made end, such as "agent_restarted"
	Response        json.RawMessage `json:"response,omitempty"`
	BlobSHA256      string          `json:"blob_sha256,omitempty"`
	ArtifactsSHA256 string          `json:"artifacts_sha256,omitempty"`
	ArtifactsLost   string          `json:"artifacts_lost,omitempty"`
	Invalid         []byte          `json:"invalid,omitempty"` // as it was printed, at most [MaxInvalid] bytes
	Intents         json.RawMessage `json:"intents,omitempty"` // of a dry run: a list of spec.Intent, at most [MaxIntents] bytes
	MayRetry        bool            `json:"may_retry,omitempty"`
	NeverStarted    bool            `json:"never_started,omitempty"` // with failed: the agent could not start the guest
	RetryAfterMS    int64           `json:"retry_after_ms,omitempty"`
	LastLogSeq      int64           `json:"last_log_seq"`
	ElapsedMS       int64           `json:"elapsed_ms"` // from the start of the guest to its end
	Usage           Usage           `json:"usage"`
	Free            int             `json:"free"`
	LastOffer       int64           `json:"last_offer"`
}

// Usage is what an attempt cost. Durations are in microseconds.
type Usage struct {
	DownloadUS  int64  `json:"download_us"`
	CompileUS   int64  `json:"compile_us"`
	ReadyUS     int64  `json:"ready_us"`
	GuestUS     int64  `json:"guest_us"`
	PeakMemory  uint64 `json:"peak_memory"`
	HostCalls   int    `json:"host_calls"`
	LogBytes    int64  `json:"log_bytes"`
	OutputBytes int64  `json:"output_bytes"`
	Fuel        uint64 `json:"fuel,omitempty"`          // where it was counted
	FuelAtLeast bool   `json:"fuel_at_least,omitempty"` // it may have been more: the guest was killed, or it trapped
}

// Log carries a chunk of an execution's log: whole lines of one stream.
type Log struct {
	Execution string    `json:"execution"`
	Attempt   int       `json:"attempt"`
	Fence     int64     `json:"fence"`
	Seq       int64     `json:"seq"`
	Stream    string    `json:"stream"`
	Lines     []LogLine `json:"lines"`
}

// LogLine is one line, AgoMS milliseconds before its chunk was first written to the agent's spool.
type LogLine struct {
	AgoMS int64  `json:"ago"`
	Text  string `json:"text"`
}

// CancelAck confirms that a cancel was seen; the result follows.
type CancelAck struct {
	Execution string `json:"execution"`
	Fence     int64  `json:"fence"`
}

// Call asks the server for an operation that needs its state: kv.*, cache.* and secret.get. The answer is a [Reply].
type Call struct {
	ID        int64           `json:"id"`
	Execution string          `json:"execution"`
	Fence     int64           `json:"fence"`
	Op        string          `json:"op"`
	Request   json.RawMessage `json:"request"`
}

// Draining says that the agent stops: it takes nothing new and reports what it has.
type Draining struct {
	Reason string `json:"reason"`
}
