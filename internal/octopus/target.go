package octopus

import "time"

// TargetMode says how many of the matching agents run a task.
type TargetMode string

// The three modes.
const (
	TargetAny   TargetMode = "any"   // Count agents, whichever is free first
	TargetAll   TargetMode = "all"   // every agent that matches when the run starts
	TargetAgent TargetMode = "agent" // one agent, by name or id
)

// Target says where a task runs. The zero value is any one agent.
type Target struct {
	Mode     TargetMode
	Count    int    // any: how many agents; 0 is 1
	Agent    string // agent: its name or id
	Selector string // any and all: "env=prod,role in (web,db)"; "" matches every agent
}

// Default times that an execution waits for an agent before it expires.
const (
	WaitTTLPool  = time.Hour      // any and all
	WaitTTLAgent = 24 * time.Hour // one agent
)

// OnLost says what happens when the agent of a started execution stays silent.
type OnLost string

// The policies of OnLost.
const (
	OnLostFail  OnLost = "fail"  // end as lost (default)
	OnLostRetry OnLost = "retry" // start again elsewhere; the action must be idempotent
)
