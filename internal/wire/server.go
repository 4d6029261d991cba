package wire

import (
	"encoding/json"

	"octopus/internal/octopus"
)

// Welcome answers the first page of a hello: who the agent is to this server, and its times.
type Welcome struct {
	Name          string `json:"name"`
	ServerID      string `json:"server_id"`
	ServerVersion string `json:"server_version"`
	SessionEpoch  int64  `json:"session_epoch"`
	HeartbeatMS   int64  `json:"heartbeat_ms"`
	FirstAfterMS  int64  `json:"first_after_ms"` // the first heartbeat, a random share of the interval
	OfflineMS     int64  `json:"offline_ms"`     // 2.5 intervals
	Drained       bool   `json:"drained,omitempty"`
}

// Answer says what to do with one item of a hello.
type Answer string

// The answers to the items of a hello.
const (
	AnswerGo         Answer = "go"          // start it: the accept was committed
	AnswerKeep       Answer = "keep"        // go on
	AnswerCancel     Answer = "cancel"      // end it
	AnswerSendResult Answer = "send_result" // the server wants the result
	AnswerDiscard    Answer = "discard"     // the server wants nothing of it: file it away
)

// HelloAnswer answers one page of a hello, item by item, before any new offer.
type HelloAnswer struct {
	Items []AnsweredItem `json:"items"`
	End   bool           `json:"end"`
}

// AnsweredItem is the answer to one item. Attempt is set with go.
type AnsweredItem struct {
	Execution string `json:"execution"`
	Attempt   int    `json:"attempt,omitempty"`
	Fence     int64  `json:"fence"`
	Answer    Answer `json:"answer"`
}

// HeartbeatAck acknowledges a heartbeat. With Rehello the agent sends its hello again on the same socket.
type HeartbeatAck struct {
	Seq     int64 `json:"seq"`
	Rehello bool  `json:"rehello,omitempty"`
}

// Offer proposes an execution. OfferSeq counts the offers of this session.
type Offer struct {
	OfferSeq      int64           `json:"offer_seq"`
	Execution     string          `json:"execution"`
	Run           string          `json:"run"`
	Task          string          `json:"task,omitempty"`
	TaskName      string          `json:"task_name,omitempty"`
	Attempt       int             `json:"attempt"` // the number it gets if it starts
	Fence         int64           `json:"fence"`
	Plugin        string          `json:"plugin"`
	PluginVersion string          `json:"plugin_version"`
	Digest        string          `json:"digest"`
	Size          int64           `json:"size"` // of the module
	Action        string          `json:"action"`
	Params        json.RawMessage `json:"params,omitempty"`
	Config        json.RawMessage `json:"config,omitempty"`
	Grant         json.RawMessage `json:"grant,omitempty"` // spec.Capabilities: manifest ∩ grant
	User          json.RawMessage `json:"user,omitempty"`  // spec.RequestUser
	MemoryBytes   uint64          `json:"memory_bytes"`
	StdoutBytes   int64           `json:"stdout_bytes"`
	Fuel          uint64          `json:"fuel,omitempty"` // how much the guest may execute; 0: no limit
	TimeoutMS     int64           `json:"timeout_ms"`
	DeadlineMS    int64           `json:"deadline_ms,omitempty"` // left over all attempts, 0: none
	LostAfterMS   int64           `json:"lost_after_ms"`
	OnLost        octopus.OnLost  `json:"on_lost"`
	ArtifactBytes int64           `json:"artifact_bytes,omitempty"` // of the files that the guest may leave; 0: the server takes none
	DryRun        bool            `json:"dry_run,omitempty"`        // record what would change something, and answer as if it were done
	// Sandbox is the least that the agent's must reach: it may have come back with less since it took an offer.
	Sandbox octopus.SandboxLevel `json:"sandbox,omitempty"`
	// ClockNS is where the guest's clock stands, in nanoseconds since 1970, and Seed what its random numbers come from.
	// nil: the real ones. It is no time of this exchange, which has only durations, but an input of the plugin.
	ClockNS *int64  `json:"clock_ns,omitempty"`
	Seed    *uint64 `json:"seed,omitempty"`
}

// Go starts an accepted execution: the server has committed it as running.
type Go struct {
	Execution string `json:"execution"`
	Attempt   int    `json:"attempt"`
	Fence     int64  `json:"fence"`
}

// Withdrawn takes an offer back: an accept lost its race, or came too late.
type Withdrawn struct {
	Execution string `json:"execution"`
	Fence     int64  `json:"fence"`
}

// Cancel asks for an execution to end. Force means at once, without the grace that a guest gets to clean up.
type Cancel struct {
	Execution string `json:"execution"`
	Fence     int64  `json:"fence"`
	Reason    string `json:"reason"`
	GraceMS   int64  `json:"grace_ms"`
}

// Verdict is what became of a result.
type Verdict string

// The verdicts. After the first two the agent applies staged files and forgets; after any other it files the
// result away.
const (
	VerdictCommitted  Verdict = "committed"
	VerdictDuplicate  Verdict = "duplicate" // this very result was committed before
	VerdictStale      Verdict = "stale"     // another fence holds
	VerdictSuperseded Verdict = "superseded"
	VerdictRejected   Verdict = "rejected" // Reason says why
	VerdictUnknown    Verdict = "unknown"
)

// ResultAck answers a result.
type ResultAck struct {
	Execution string  `json:"execution"`
	Fence     int64   `json:"fence"`
	Verdict   Verdict `json:"verdict"`
	Reason    string  `json:"reason,omitempty"`
}

// LogAck acknowledges the chunks of an execution up to Seq. They may be dropped from the spool.
type LogAck struct {
	Execution string `json:"execution"`
	Seq       int64  `json:"seq"`
}

// Reply answers a [Call]: Response, or Error.
type Reply struct {
	ID       int64           `json:"id"`
	Response json.RawMessage `json:"response,omitempty"`
	Error    *CallError      `json:"error,omitempty"`
}

// CallError is why a call failed.
type CallError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Prefetch names modules that the agent may need soon: fetch and compile them when idle.
type Prefetch struct {
	Modules []Module `json:"modules"`
}

// Module is one plugin version to fetch.
type Module struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
	Digest  string `json:"digest"`
	Size    int64  `json:"size"`
	Memory  uint64 `json:"memory"`
	Fuel    bool   `json:"fuel,omitempty"` // compile it so that it counts
}

// Broadcast carries entries of the broadcast cache region. Value null deletes.
type Broadcast struct {
	Entries []BroadcastEntry `json:"entries"`
	Reset   bool             `json:"reset,omitempty"` // forget all others: sent on connect
}

// BroadcastEntry is one entry of the broadcast region.
type BroadcastEntry struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
	TTLMS int64           `json:"ttl_ms"`
}

// Drain asks the agent to come back later, spread over the window, to this or another server.
type Drain struct {
	ReconnectMinMS int64  `json:"reconnect_min_ms"`
	ReconnectMaxMS int64  `json:"reconnect_max_ms"`
	Reason         string `json:"reason"`
}

// Restart asks the agent process to finish what runs and start again.
type Restart struct {
	Reason string `json:"reason"`
}

// Settings changes what the server decides about an agent while it is connected.
type Settings struct {
	Name    string `json:"name"`
	Drained bool   `json:"drained"`
}
