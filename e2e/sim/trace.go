package sim

import (
	"octopus/internal/wire"
)

// noteMessage adds a message to the history. Heartbeats are left out.
func (w *World) noteMessage(from, to string, m wire.Message) {
	switch m := m.(type) {
	case *wire.Hello:
		w.note(from, "→ %s hello with %d items %v", to, len(m.Items), m.Items)
	case *wire.HelloAnswer:
		w.note(from, "→ %s answers %v", to, m.Items)
	case *wire.Offer:
		w.note(from, "→ %s offer %s fence %d attempt %d (number %d)", to, m.Execution, m.Fence, m.Attempt, m.OfferSeq)
	case *wire.Accept:
		w.note(from, "→ %s accept %s fence %d", to, m.Execution, m.Fence)
	case *wire.Reject:
		w.note(from, "→ %s reject %s fence %d: %s, free %d of %d", to, m.Execution, m.Fence, m.Reason, m.Free, m.LastOffer)
	case *wire.Go:
		w.note(from, "→ %s go %s fence %d attempt %d", to, m.Execution, m.Fence, m.Attempt)
	case *wire.Withdrawn:
		w.note(from, "→ %s withdrawn %s fence %d", to, m.Execution, m.Fence)
	case *wire.Cancel:
		w.note(from, "→ %s cancel %s fence %d, grace %d ms", to, m.Execution, m.Fence, m.GraceMS)
	case *wire.Result:
		w.note(from, "→ %s result %s fence %d: %s %s", to, m.Execution, m.Fence, m.Outcome, m.Reason)
	case *wire.ResultAck:
		w.note(from, "→ %s ack %s fence %d: %s %s", to, m.Execution, m.Fence, m.Verdict, m.Reason)
	case *wire.HeartbeatAck:
		if m.Rehello {
			w.note(from, "→ %s asks for a hello", to)
		}
	case *wire.Heartbeat, *wire.Broadcast, *wire.Welcome, *wire.Prefetch:
	default:
		w.note(from, "→ %s %T", to, m)
	}
}
