// Package dispatch decides what runs where: it resolves targets, offers executions to agents, and is the only
// writer of an execution's state.
//
// The decisions are pure functions in step.go: (execution, now, event) to a change and effects, without clock,
// goroutine or socket. Everything else is the shell around them: the registry of connected agents, which is
// memory; the sweeper, which fires the timers that are columns; and the claimer, which hands queued work to
// agents that have room. docs/states.md draws the machine, docs/protocol.md tells the conversation.
package dispatch
