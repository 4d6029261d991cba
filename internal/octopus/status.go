package octopus

// Status is the state of an [Execution]. docs/states.md draws the machine.
type Status string

// The states of an execution. From the fourth on they are terminal.
const (
	Queued    Status = "queued"
	Offered   Status = "offered"
	Running   Status = "running"
	Succeeded Status = "succeeded"
	Failed    Status = "failed"
	TimedOut  Status = "timed_out"
	Cancelled Status = "cancelled"
	Lost      Status = "lost"
	Expired   Status = "expired"
	Rejected  Status = "rejected"
)

// Statuses lists every state, in the order in which an execution may reach them.
var Statuses = []Status{Queued, Offered, Running, Succeeded, Failed, TimedOut, Cancelled, Lost, Expired, Rejected}

// transitions is the whole machine: which states may follow which.
var transitions = map[Status][]Status{
	Queued:  {Offered, Cancelled, Expired, Rejected, TimedOut, Lost},
	Offered: {Queued, Running, Cancelled, Rejected, Expired, TimedOut, Lost},
	Running: {Queued, Succeeded, Failed, TimedOut, Cancelled, Lost},
}

// Valid reports whether s is one of the states.
func (s Status) Valid() bool {
	_, moves := transitions[s]
	return moves || s.Terminal()
}

// Terminal reports whether s never changes again.
func (s Status) Terminal() bool {
	switch s {
	case Succeeded, Failed, TimedOut, Cancelled, Lost, Expired, Rejected:
		return true
	}
	return false
}

// CanBecome reports whether the machine has an edge from s to next.
func (s Status) CanBecome(next Status) bool {
	for _, to := range transitions[s] {
		if to == next {
			return true
		}
	}
	return false
}

// RunStatus is the state of a [Run], computed from its executions.
type RunStatus string

// The states of a run.
const (
	RunQueued    RunStatus = "queued"
	RunRunning   RunStatus = "running"
	RunSucceeded RunStatus = "succeeded"
	RunFailed    RunStatus = "failed"
	RunCancelled RunStatus = "cancelled"
)

// Terminal reports whether every execution of the run has ended.
func (s RunStatus) Terminal() bool {
	return s == RunSucceeded || s == RunFailed || s == RunCancelled
}

// Counts says how many executions of a run are in each state. States that none is in are absent.
type Counts map[Status]int

// Total is the number of executions counted.
func (c Counts) Total() (n int) {
	for _, k := range c {
		n += k
	}
	return n
}

// Live is the number of executions that have not ended.
func (c Counts) Live() int { return c[Queued] + c[Offered] + c[Running] }

// RunStatus computes a run's state: queued until something was accepted, running until all have ended, then
// succeeded if all succeeded, cancelled if the worst that happened was a cancel, else failed.
func (c Counts) RunStatus() RunStatus {
	total, live := c.Total(), c.Live()
	switch {
	case total == 0 || live == total && c[Running] == 0:
		return RunQueued
	case live > 0:
		return RunRunning
	case c[Succeeded] == total:
		return RunSucceeded
	case c[Succeeded]+c[Cancelled] == total:
		return RunCancelled
	}
	return RunFailed
}

// severity orders the terminal states from the best to the worst; Outcome reports the worst.
var severity = []Status{Succeeded, Cancelled, Expired, Rejected, Failed, TimedOut, Lost}

// Outcome is the worst terminal state among the executions, or "" while none has ended.
func (c Counts) Outcome() Status {
	for i := len(severity) - 1; i >= 0; i-- {
		if c[severity[i]] > 0 {
			return severity[i]
		}
	}
	return ""
}
