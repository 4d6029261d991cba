// Package core decides what an agent does: (state, now, event) → effects. It has no goroutines, clocks or
// sockets, so that a test can replay any history. The shell in package agent feeds it one event at a time and
// carries out the effects in their order.
//
// Now is a duration on a clock that runs on while the machine sleeps; only differences count.
package core

import (
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Key names one try of an execution: the server raises the fence each time it gives the execution away.
type Key struct {
	Execution string
	Fence     int64
}

// Config is what the core is told once.
type Config struct {
	// Slots is how many executions may be held at a time that have not ended.
	Slots int
	// MaxPending bounds results that wait for the server; at the bound offers are rejected with no_space.
	// Defaults to 1,000.
	MaxPending int
	// Admit says whether policy and sandbox allow an offer: an empty reason admits. It must not block.
	Admit func(*wire.Offer) (wire.RejectReason, string)
}

// Times that are not the server's to set.
const (
	acceptEvery  = 5 * time.Second  // an unanswered accept is repeated
	resultEvery  = 30 * time.Second // an unanswered result is sent again on the same socket
	uploadEvery  = 5 * time.Second  // a failed upload is tried again
	ackWithin    = 10 * time.Second // a heartbeat without an answer means a dead connection
	leaseMargin  = 10 * time.Second // the agent gives up this much before the server does
	defaultGrace = 10 * time.Second // between the flag of a cancel and the kill
	lastWords    = 2 * time.Second  // a stopping agent waits this long for acknowledgements
)

// Event is something that happened.
type Event interface{ event() }

// The events. Message carries what the server sent; the shell keeps replies, log acknowledgements, broadcasts and
// prefetches for itself.
type (
	// Connected says that a socket is open. Facts go into the hello.
	Connected struct{ Hello wire.Hello }
	// Disconnected says that it is gone.
	Disconnected struct{}
	// Message is a frame of the server's.
	Message struct{ wire.Message }
	// Tick says that time passed; see Core.Wake.
	Tick struct{}
	// NoteFailed says that the journal had no room for an accept.
	NoteFailed struct{ Key Key }
	// Ready says that a runner has the module and asks whether the guest may start. Permit answers.
	Ready struct {
		Key      Key
		Prepared wire.Prepared
	}
	// Done says that a worker ended. Natural means that the guest ended by itself, with Code in its response.
	Done struct {
		Key     Key
		Result  wire.Result
		Natural bool
		Code    string
	}
	// Uploaded says what became of an Upload. Refused means that trying again is no use.
	Uploaded struct {
		Key     Key
		Err     error
		Refused bool
	}
	// Stop asks the agent to finish: at once where nothing runs, at the latest after Grace. A zero Grace waits
	// for what runs however long it takes. Err is what Exit carries.
	Stop struct {
		Reason string
		Grace  time.Duration
		Err    error
	}
)

func (Connected) event()    {}
func (Disconnected) event() {}
func (Message) event()      {}
func (Tick) event()         {}
func (NoteFailed) event()   {}
func (Ready) event()        {}
func (Done) event()         {}
func (Uploaded) event()     {}
func (Stop) event()         {}

// Effect is something that the shell does.
type Effect interface{ effect() }

// The effects, to be carried out in order.

type (
	// Send queues a frame on the open socket; without one it is dropped.
	Send struct{ wire.Message }
	// Note writes the accept into the journal, and then sends it. Where that fails NoteFailed comes back instead.
	Note struct{ Offer *wire.Offer }
	// Start gives an execution to a worker.
	Start struct {
		Offer   *wire.Offer
		Attempt int
	}
	// Permit answers Ready: with a nil Err the worker writes "started" into the journal and starts the guest.
	Permit struct {
		Key Key
		Err error
	}
	// Flag raises the flag that a guest can ask for.
	Flag struct{ Key Key }
	// Kill ends a guest now.
	Kill struct {
		Key    Key
		Reason string
	}
	// Keep writes a result into the journal, side by side with sending it.
	Keep struct {
		Key    Key
		Result wire.Result
	}
	// Upload puts a large response, or the files that the guest left, to the server. Uploaded reports.
	Upload struct {
		Key       Key
		SHA256    string
		Artifacts bool
	}
	// Commit puts staged files in place and forgets the execution.
	Commit struct{ Key Key }
	// File keeps the result as evidence on this machine, and forgets the execution.
	File struct {
		Key    Key
		Result wire.Result
		Why    string
	}
	// Drop forgets what never started.
	Drop struct{ Key Key }
	// Reconnect closes the socket. With a window (Max > 0) another one is opened within it first, and the present one
	// goes on until then or until the server closes it.
	Reconnect struct {
		Cause    string
		Min, Max time.Duration
	}
	// Exit ends the agent. Nothing follows.
	Exit struct{ Err error }
)

func (Send) effect()      {}
func (Note) effect()      {}
func (Start) effect()     {}
func (Permit) effect()    {}
func (Flag) effect()      {}
func (Kill) effect()      {}
func (Keep) effect()      {}
func (Upload) effect()    {}
func (Commit) effect()    {}
func (File) effect()      {}
func (Drop) effect()      {}
func (Reconnect) effect() {}
func (Exit) effect()      {}

// Codes of ends that the agent makes itself.
const (
	ReasonAgentRestarted = "agent_restarted" // the process died while the guest ran
	ReasonAgentStopped   = "agent_stopped"   // the agent was told to stop and the guest did not end in time
	ReasonLeaseLost      = "lease_lost"      // no word from the server for too long
	reasonCancelled      = "cancelled"
	reasonDiscarded      = "discarded"
)

// Restored is an execution from the journal of an earlier process.
type Restored struct {
	Offer   *wire.Offer // of the accept
	Attempt int         // of the start, or the offer's
	Started bool
	Result  *wire.Result // nil: none was written
}

// lostResult is the result of an execution whose guest was running when the process died.
func lostResult(r Restored) wire.Result {
	return wire.Result{
		Execution: r.Offer.Execution, Attempt: r.Attempt, Fence: r.Offer.Fence,
		Outcome: octopus.Lost, Reason: ReasonAgentRestarted,
	}
}
