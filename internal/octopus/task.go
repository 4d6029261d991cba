package octopus

import (
	"encoding/json"
	"time"
)

// TaskType says when a task fires.
type TaskType string

// The types of task. Scheduled and recurring ones carry schedules.
const (
	TaskAdhoc     TaskType = "adhoc"
	TaskScheduled TaskType = "scheduled"
	TaskRecurring TaskType = "recurring"
)

// Task is a saved definition of work: what to run, where and under which policies.
type Task struct {
	ID          string
	Name        string // unique among tasks that are not deleted
	Description string
	Folder      string
	Labels      map[string]string
	Type        TaskType
	Work
	Enabled   bool
	Revision  int64 // grows with each change; compare-and-set
	Owner     string
	CreatedAt time.Time
	CreatedBy string
	UpdatedAt time.Time
	UpdatedBy string
	DeletedAt time.Time // zero: not deleted

	// LastRun is computed on reads: the newest run of this task, nil before the first.
	LastRun *Run
}

// Work is what a task and an ad-hoc run have in common: the plugin call and its policies.
type Work struct {
	Plugin      string
	Version     string // exact, a range such as ^1.2, or "" for the newest enabled one
	Action      string
	Params      json.RawMessage
	Target      Target
	Timeout     time.Duration // of one attempt, from the start of the guest; 0: the manifest's
	Deadline    time.Duration // over all attempts, from creation; 0: none beyond the timeout
	WaitTTL     time.Duration // how long to wait for an agent; 0: by target mode
	LostAfter   time.Duration // silence before a started execution is lost; 0: by OnLost
	OnLost      OnLost
	MaxAttempts int          // 0 is 1
	Priority    int          // higher first
	DryRun      bool         // the host records what would change something, instead of doing it
	Fuel        uint64       // how much the plugin may execute; 0: the manifest's
	Sandbox     SandboxLevel // the least that its agent must reach; "": any
	Repeat                   // nothing: the real clock and real random numbers
}

// Repeat makes an execution do the same each time, as far as its sandbox goes: what host calls answer may still differ.
type Repeat struct {
	Clock time.Time // where the plugin's clock stands; zero: the real one
	Seed  *uint64   // what its random numbers come from; nil: real ones
}

// On reports whether anything is not as ever.
func (r Repeat) On() bool { return !r.Clock.IsZero() || r.Seed != nil }

// Years that a frozen clock may show: nanoseconds in 64 bits reach a little further.
const (
	firstClock = 1678
	lastClock  = 2261
)

// CheckRepeat refuses a clock that no sandbox could show.
func CheckRepeat(r Repeat) error {
	if r.Clock.IsZero() {
		return nil
	}
	return CheckClock(r.Clock)
}

// CheckClock is [CheckRepeat] for a clock that somebody named: the zero time too is one that no sandbox could show,
// and must not pass for the real clock.
func CheckClock(at time.Time) error {
	if year := at.UTC().Year(); firstClock <= year && year <= lastClock {
		return nil
	}
	return InvalidField("/clock", "The clock must be between the years %d and %d.", firstClock, lastClock)
}
