package store

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"octopus/internal/octopus"
)

// fixedColumns never change after an execution was created; movingColumns do. Both in the order of
// executionValues and executionTargets.
var fixedColumns = []string{
	"id", "run_id", "task_id", "task_name", "plugin", "plugin_version", "digest", "action", "mode", "bound_agent",
	"pool", "max_attempts", "on_lost", "idempotent", "priority", "memory", "timeout", "lost_after", "created_at",
	"retry_of", "created_by", "fuel", "dry_run", "on_trial", "sandbox", "clock", "seed",
}

var movingColumns = []string{
	"excluded", "agent_id", "agent_name", "status", "silent", "cancelling", "fence", "attempt", "progress", "waiting",
	"reason_code", "reason_message", "status_code", "message", "usage", "queued_at", "offered_at", "go_at",
	"started_at", "finished_at", "offer_expires_at", "deadline_at", "not_before", "wait_until", "cancelled_at",
	"cancelled_by", "last_log", "log_seq",
}

var executionColumns = strings.Join(append(append([]string{}, fixedColumns...), movingColumns...), ", ")

const (
	fixedCount  = 27
	movingCount = 28
	dueColumn   = movingCount // due_at comes after the moving columns and is computed
)

// maxMessage and maxLastLog bound what lists carry of a message and of a log line, in bytes.
const (
	maxMessage = 300
	maxLastLog = 200
)

// fixedValues returns the values of fixedColumns.
func fixedValues(x *octopus.Execution) []any {
	return []any{
		x.ID, x.RunID, x.TaskID, clean(x.TaskName), x.Plugin, x.PluginVersion, x.Digest, x.Action, string(x.Mode),
		x.BoundAgent, x.Pool, int64(x.MaxAttempts), string(x.OnLost), x.Idempotent, int64(x.Priority), int64(x.Memory),
		x.Timeout.Microseconds(), x.LostAfter.Microseconds(), micros(x.CreatedAt), x.RetryOf, clean(x.CreatedBy), int64(x.Fuel), x.DryRun, x.OnTrial,
		string(x.Sandbox), clockText(x.Clock), seedText(x.Seed),
	}
}

// movingValues returns the values of movingColumns and of due_at. All are comparable, so that a step writes only
// what it changed.
func movingValues(x *octopus.Execution) [movingCount + 1]any {
	code, message := reasonText(x.Reason)
	return [...]any{
		excludedText(x.Excluded), x.AgentID, clean(x.AgentName), string(x.Status), x.Silent, x.Cancelling, x.Fence,
		int64(x.Attempt), progressText(x.Progress), waitingText(x.Waiting), code, message, int64(x.StatusCode),
		shorten(x.Message, maxMessage), usageText(x.Usage), micros(x.QueuedAt), micros(x.OfferedAt), micros(x.GoAt),
		micros(x.StartedAt), micros(x.FinishedAt), micros(x.OfferExpiresAt), micros(x.DeadlineAt), micros(x.NotBefore),
		micros(x.WaitUntil), micros(x.CancelledAt), clean(x.CancelledBy), shorten(x.LastLog, maxLastLog), x.LogSeq,
		dueAt(x),
	}
}

// dueAt is the earliest timer that the execution's state arms.
func dueAt(x *octopus.Execution) int64 {
	if x.Status.Terminal() {
		return 0
	}
	due := micros(x.DeadlineAt)
	earlier := func(t time.Time) {
		if us := micros(t); us != 0 && (due == 0 || us < due) {
			due = us
		}
	}
	switch x.Status {
	case octopus.Queued:
		earlier(x.WaitUntil)
		earlier(x.NotBefore)
	case octopus.Offered:
		earlier(x.OfferExpiresAt)
	}
	return due
}

// executionScan collects what does not scan straight into an execution.
type executionScan struct {
	x                 octopus.Execution
	mode, lost, state string
	memory, fuel      int64
	sandbox           string
	clock, seed       string
	progress, waiting string
	excluded, usage   string
	code, message     string
}

// targets are where a row of executionColumns goes.
func (e *executionScan) targets() []any {
	x := &e.x
	return []any{&x.ID, &x.RunID, &x.TaskID, &x.TaskName, &x.Plugin, &x.PluginVersion, &x.Digest, &x.Action, &e.mode,
		&x.BoundAgent, &x.Pool, &x.MaxAttempts, &e.lost, &x.Idempotent, &x.Priority, &e.memory, durationInto{&x.Timeout},
		durationInto{&x.LostAfter}, timeInto{&x.CreatedAt}, &x.RetryOf, &x.CreatedBy, &e.fuel, &x.DryRun, &x.OnTrial, &e.sandbox, &e.clock, &e.seed,
		&e.excluded, &x.AgentID, &x.AgentName, &e.state, &x.Silent, &x.Cancelling, &x.Fence, &x.Attempt, &e.progress,
		&e.waiting, &e.code, &e.message, &x.StatusCode, &x.Message, &e.usage, timeInto{&x.QueuedAt},
		timeInto{&x.OfferedAt}, timeInto{&x.GoAt}, timeInto{&x.StartedAt}, timeInto{&x.FinishedAt},
		timeInto{&x.OfferExpiresAt}, timeInto{&x.DeadlineAt}, timeInto{&x.NotBefore}, timeInto{&x.WaitUntil},
		timeInto{&x.CancelledAt}, &x.CancelledBy, &x.LastLog, &x.LogSeq}
}

// scanExecution reads a row of executionColumns.
func scanExecution(row scanner) (octopus.Execution, error) {
	var e executionScan
	if err := row.Scan(e.targets()...); err != nil {
		return octopus.Execution{}, err
	}
	return e.decode()
}

func (e *executionScan) decode() (octopus.Execution, error) {
	x := &e.x
	x.Mode, x.OnLost, x.Status = octopus.TargetMode(e.mode), octopus.OnLost(e.lost), octopus.Status(e.state)
	x.Memory, x.Fuel, x.Sandbox = uint64(e.memory), uint64(e.fuel), octopus.SandboxLevel(e.sandbox)
	if err := e.repeat(); err != nil {
		return *x, err
	}
	if e.code != "" || e.message != "" {
		x.Reason = &octopus.Reason{Code: e.code, Message: e.message}
	}
	for _, field := range [...]struct {
		text string
		into any
	}{{e.excluded, &x.Excluded}, {e.progress, &x.Progress}, {e.waiting, &x.Waiting}} {
		if field.text != "" {
			if err := json.Unmarshal([]byte(field.text), field.into); err != nil {
				return *x, err
			}
		}
	}
	if e.usage != "" {
		var u usageRow
		if err := json.Unmarshal([]byte(e.usage), &u); err != nil {
			return *x, err
		}
		x.Usage = u.usage()
	}
	return *x, nil
}

// clockText keeps a frozen clock to the nanosecond; "" is the real one. The beginning of 1970 is as good as any other.
func clockText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// seedText has room for all 64 bits, which a column of numbers has not; "" is none.
func seedText(seed *uint64) string {
	if seed == nil {
		return ""
	}
	return strconv.FormatUint(*seed, 10)
}

// repeat reads what clockText and seedText wrote.
func (e *executionScan) repeat() (err error) {
	if e.clock != "" {
		if e.x.Clock, err = time.Parse(time.RFC3339Nano, e.clock); err != nil {
			return err
		}
	}
	if e.seed != "" {
		seed, err := strconv.ParseUint(e.seed, 10, 64)
		if err != nil {
			return err
		}
		e.x.Seed = &seed
	}
	return nil
}

func reasonText(r *octopus.Reason) (code, message string) {
	if r == nil {
		return "", ""
	}
	return r.Code, clean(r.Message)
}

func excludedText(ids []string) string {
	if len(ids) == 0 {
		return ""
	}
	return encode(ids)
}

func progressText(p *octopus.Progress) string {
	if p == nil {
		return ""
	}
	return encode(octopus.Progress{Fraction: p.Fraction, Message: shorten(p.Message, maxMessage)})
}

func waitingText(w *octopus.Waiting) string {
	if w == nil {
		return ""
	}
	kept := *w
	kept.Message = clean(kept.Message)
	kept.Since = kept.Since.UTC().Truncate(time.Microsecond)
	return encode(kept)
}

// usageRow is how usage is stored: short names, durations in microseconds.
type usageRow struct {
	Download int64  `json:"d,omitempty"`
	Compile  int64  `json:"c,omitempty"`
	Ready    int64  `json:"r,omitempty"`
	Guest    int64  `json:"g,omitempty"`
	Peak     uint64 `json:"m,omitempty"`
	Calls    int    `json:"h,omitempty"`
	Log      int64  `json:"l,omitempty"`
	Output   int64  `json:"o,omitempty"`
	Fuel     uint64 `json:"f,omitempty"`
	AtLeast  bool   `json:"fl,omitempty"` // of Fuel
}

func usageText(u octopus.Usage) string {
	if u == (octopus.Usage{}) {
		return ""
	}
	return encode(usageRow{u.DownloadTime.Microseconds(), u.CompileTime.Microseconds(), u.ReadyTime.Microseconds(),
		u.GuestTime.Microseconds(), u.PeakMemory, u.HostCalls, u.LogBytes, u.OutputBytes, u.Fuel, u.FuelAtLeast})
}

func (u usageRow) usage() octopus.Usage {
	us := time.Microsecond
	return octopus.Usage{DownloadTime: time.Duration(u.Download) * us, CompileTime: time.Duration(u.Compile) * us,
		ReadyTime: time.Duration(u.Ready) * us, GuestTime: time.Duration(u.Guest) * us, PeakMemory: u.Peak,
		HostCalls: u.Calls, LogBytes: u.Log, OutputBytes: u.Output, Fuel: u.Fuel, FuelAtLeast: u.AtLeast}
}
