package dispatch

import (
	"time"

	"octopus/internal/octopus"
	"octopus/internal/seeded"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// kind is what happened to an execution.
type kind string

// The kinds of event. step has one function for each.
const (
	evOffer        kind = "offer"         // an agent has room for it
	evAccept       kind = "accept"        // the agent takes the offer; repeated until answered
	evReject       kind = "reject"        // the agent does not
	evStarted      kind = "started"       // the guest runs, or is about to
	evResult       kind = "result"        // the attempt ended
	evCancel       kind = "cancel"        // somebody wants it to end
	evDue          kind = "due"           // the sweeper found a timer that may have passed
	evLost         kind = "lost"          // its agent was silent for too long, restarted, or lost its journal
	evNeverStarted kind = "never started" // the agent's intact journal does not know it
	evHello        kind = "hello"         // the agent's hello names it
	evForceClose   kind = "force close"   // somebody ends it without its agent
	evDetach       kind = "detach"        // the agent's session ended
	evSilent       kind = "silent"        // the agent is not heard
	evHeard        kind = "heard"         // it is heard again
	evWaiting      kind = "waiting"       // why it waits has changed
	evRefuse       kind = "refuse"        // the server itself will not run it any more: its plugin was revoked
	evRestored     kind = "restored"      // the database was restored from a backup that held it
)

var kinds = []kind{evOffer, evAccept, evReject, evStarted, evResult, evCancel, evDue, evLost, evNeverStarted, evHello,
	evForceClose, evDetach, evSilent, evHeard, evWaiting, evRefuse, evRestored}

// event is one thing that happened to an execution. Only the fields of its kind are set.
type event struct {
	kind      kind
	agentID   string
	agentName string
	fence     int64 // that the agent, or the observer of its silence, speaks of

	reject    wire.RejectReason // evReject
	left      int               // evReject: agents that may still run it
	phase     wire.Phase        // evHello
	connected bool              // evDue: the agent's session is open
	by        string            // evCancel, evForceClose: who
	code      string            // evLost, evWaiting, evRefuse
	message   string            // evReject, evDetach, evLost, evWaiting, evRefuse: a sentence
	prepared  *wire.Prepared    // evStarted
	result    *outcome          // evResult
	wait      time.Duration     // evResult, evLost, evNeverStarted: the task's own wait for an agent, if it has one
}

// outcome is a result as it came, with its response decoded.
type outcome struct {
	wire.Result
	raw      []byte        // the response's bytes, wherever they came from
	response spec.Response // decoded from raw
	invalid  error         // raw is no response
	unread   unread        // what was printed where it is no response, whoever found out

	files     []wire.Artifact // that the plugin handed over
	filesLost string          // why those that there were are not kept, as a sentence
}

// effect is what to do after a step was committed.
type effect struct {
	kind    effectKind
	fence   int64
	attempt int
	verdict wire.Verdict
	reason  string
	answer  wire.Answer
	grace   time.Duration
}

type effectKind int

// The effects. All but the last two are messages to the agent that the event or the execution names.
const (
	sendGo effectKind = iota + 1
	sendWithdrawn
	sendCancel
	sendAck
	sendAnswer  // to an item of a hello
	sendOffer   // the execution was offered
	wakeClaimer // it is queued, and somebody may have room
)

// rules are the times that steps go by.
type rules struct {
	offerTTL, cancelGrace, slack, backoff time.Duration
	waitAny, waitAgent                    time.Duration // for an agent, where nothing else was said

	// The latest restore of a backup. Every fence that was given before it is below floor; 0: there was none.
	floor   int64
	requeue bool   // the administrator said that nothing ran since the backup
	since   string // of when the backup was, for people
}

// held reports whether the event's agent is the one that the execution was offered to, under the same fence.
func (e event) holds(x octopus.Execution) bool {
	return x.AgentID == e.agentID && (x.Fence == e.fence || seeded.Is(seeded.NoFenceCheck))
}
