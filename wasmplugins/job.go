package wasmplugins

import (
	"context"
	"time"

	"octopus/sdk/spec"
)

// Limits that hold where a Job or a manifest names none, and ceilings.
const (
	DefaultTimeout = 30 * time.Second
	MaxTimeout     = 15 * time.Minute // unless a task says otherwise
	DefaultMemory  = 64 << 20         // bytes
	MaxMemory      = 512 << 20
	DefaultStdout  = 4 << 20
	MaxStdout      = 64 << 20
	DefaultLog     = 1 << 20
	DefaultRate    = 1000     // log lines a second
	SpillOver      = 1 << 20  // standard output beyond this goes to a file
	MaxInvalid     = 64 << 10 // of output that is no response, this much is kept
)

// Job is one execution of a module.
type Job struct {
	// Digest names the module, as Digest returns it.
	Digest string
	// Memory is the guest's limit in bytes. Defaults to DefaultMemory.
	Memory uint64
	// Timeout counts from the moment the guest starts; then the runner is
	// killed. Defaults to DefaultTimeout.
	Timeout time.Duration
	// Fuel is how much the guest may execute: about one unit an instruction,
	// and always the same for the same input. 0 is no limit.
	Fuel uint64
	// CountFuel counts also where there is no limit. Counting takes up to a
	// quarter longer, and the module is compiled once more for it.
	CountFuel bool
	// Repeat freezes the clock and seeds the random numbers. Such a job gets
	// a runner of its own. Defaults to the real ones.
	Repeat Repeat
	// Stdout caps standard output in bytes. Defaults to DefaultStdout.
	Stdout int64
	// Log caps what is kept of standard error.
	Log LogCaps
	// Request is what the guest reads from standard input.
	Request []byte
	// Script is what an engine runs that carries none of its own: an author's
	// draft, for which nothing is compiled then.
	Script []byte
	// Env are the NAME=value pairs that the guest was granted.
	Env []string

	// The callbacks run on the goroutine that called Run; a slow one holds
	// up the guest's host calls, never its deadline. All may be nil.

	// OnLog gets the log in batches while the guest runs.
	OnLog func([]LogLine)
	// OnProgress gets a fraction of 0 to 1, at most ten times a second. A
	// negative fraction is a message without a fraction.
	OnProgress func(fraction float64, message string)
	// OnReady is called when a runner has the module ready and before the
	// guest starts. An error from it aborts the job: nothing has run, and
	// Outcome.Err wraps it.
	OnReady func(Prepared) error
	// Cancelled raises the flag that the guest can ask for. It stops
	// nothing; cancel the context for that.
	Cancelled <-chan struct{}
}

// form is what has to be compiled for the job.
func (j Job) form() form { return form{j.Digest, j.Fuel > 0 || j.CountFuel} }

// LogCaps bound the log of one execution.
type LogCaps struct {
	// Bytes are kept, half from the head and half from the tail. Defaults
	// to DefaultLog.
	Bytes int64
	// LinesPerSecond beyond which lines are left out. Defaults to
	// DefaultRate.
	LinesPerSecond int
}

// LogLine is one line of standard error, or of the log operation.
type LogLine struct {
	Time time.Time
	Text string
	// Cut says that the line was too long: it goes on in the next one, unless
	// that was left out.
	Cut bool
}

// Prepared says what it took to have a module ready.
type Prepared struct {
	// Compiled is false where the compiled module came from the cache.
	Compiled    bool
	CompileTime time.Duration
	// Warm is true where a waiting runner already held the module.
	Warm bool
}

// Outcome is how a job ended. Response is always set: the host makes it for
// every fault.
type Outcome struct {
	Response spec.Response
	// Raw is what the guest printed, as far as it got, up to SpillOver;
	// what is longer is in RawFile, which the caller removes.
	Raw     []byte
	RawFile string
	// RawSize is the size of both in bytes. Where the guest was stopped for
	// printing too much it is what arrived before that.
	RawSize int64
	// Invalid is the head of Raw, at most MaxInvalid bytes, where that is
	// no response or longer than one may be.
	Invalid []byte
	// Started is zero where the guest never started.
	Started time.Time
	// GuestTime counts from the start of the guest, ReadyTime from the call
	// of Run to the start.
	GuestTime, ReadyTime time.Duration
	// PeakMemory is the guest's linear memory in bytes.
	PeakMemory uint64
	// Fuel is what the guest used up, 0 where nothing was counted.
	Fuel uint64
	// FuelAtLeast says that it may have been more: the guest trapped, or it was
	// killed and this is what it had last told, up to some 100 ms before.
	FuelAtLeast  bool
	LogTruncated bool
	HostCalls    int
	// Err says what the host ran into, for its log; nil where the guest
	// ended by itself. Where Started is zero it says why nothing ran.
	Err error
}

// Broker does for a guest what the guest was granted. Call runs on the
// goroutine of Run; ctx ends with the job. The error may be *OpError.
type Broker interface {
	Call(ctx context.Context, op string, req []byte) (reply []byte, err error)
}

// OpError is a refusal that the guest sees: its errno as the result of the
// call, code and message as the pending reply.
type OpError struct {
	Errno   int32 // positive, one of the Errno constants
	Code    string
	Message string
}

// Error is the message.
func (e *OpError) Error() string { return e.Message }

// Errnos that a host call may return, negated. The numbers are WASI's.
const (
	ErrnoTooBig      int32 = 1
	ErrnoDenied      int32 = 2
	ErrnoAgain       int32 = 6
	ErrnoCancelled   int32 = 11
	ErrnoInvalid     int32 = 28
	ErrnoIO          int32 = 29
	ErrnoNotFound    int32 = 44
	ErrnoNoSpace     int32 = 51
	ErrnoUnsupported int32 = 52
	ErrnoTimedOut    int32 = 73
)

// DenyAll is the broker that refuses every operation.
var DenyAll Broker = denyAll{}

type denyAll struct{}

func (denyAll) Call(_ context.Context, op string, _ []byte) ([]byte, error) {
	return nil, &OpError{Errno: ErrnoDenied, Code: spec.CodeDenied, Message: "The operation " + op + " was not granted."}
}
