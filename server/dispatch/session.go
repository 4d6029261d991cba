package dispatch

import (
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Session is one connected agent.
type Session struct {
	d           *Dispatcher // these are static
	agentID     string
	epoch       int64
	remoteAddr  string
	incarnation string
	version     int // of the protocol that the agent speaks
	journal     string
	link        Link
	since       time.Time

	// All that follows is guarded by d.mu.

	name     string
	labels   map[string]string // as selectors see them
	sandbox  octopus.SandboxLevel
	enabled  bool
	drained  bool
	ready    bool // its hello was answered: it may be offered work
	closed   bool // nothing is sent any more
	draining bool // the agent stops
	slots    int

	free          int   // as the agent said
	seen          int64 // the newest offer that it had seen by then
	offers        int64 // offers sent
	reserved      int   // credits of offers that are being committed
	paused        time.Time
	load          float64
	lastHeartbeat time.Time
	offline       time.Duration // the silence that it was told makes it offline

	held       map[string]*holding
	quiet      bool // nothing was offered, taken or given back since the last heartbeat
	mismatches int
	rehello    bool        // ask for a hello with the next acknowledgement
	items      []wire.Item // pages of a hello that has not ended
	helloSeq   int64       // of the newest hello, and which of its pages comes next; 0: an agent that does not count
	helloPage  int
}

// holding is one execution that an agent has, as far as this server knows.
type holding struct {
	fence      int64
	attempt    int
	plugin     string
	digest     string
	taken      bool // the agent noted it; before, it was only offered
	running    bool // its go was committed
	doubted    bool // before this session: its first hello did not name it, and it was asked again
	goAt       time.Time
	lostAfter  time.Duration
	prepared   *wire.Prepared    // not yet written
	progress   *octopus.Progress // not yet written
	cancelled  time.Time         // when the cancel was last sent, zero without one
	cancelSeen bool
	grace      time.Duration
	silent     bool // on an absence: the flag was set
}

// credits is how many executions the agent can take now. d.mu is held.
func (s *Session) credits(now time.Time) int {
	if !s.ready || s.closed || s.draining || s.drained || !s.enabled || now.Before(s.paused) {
		return 0
	}
	return max(s.free-int(s.offers-s.seen)-s.reserved, 0)
}

// credit notes what the agent said of its room. d.mu is held.
func (s *Session) credit(free int, seen int64) {
	if seen < s.seen || seen > s.offers {
		return // an older message, or nonsense
	}
	s.free, s.seen = min(max(free, 0), maxSlots), seen
}

// maxSlots bounds what an agent may claim to have room for.
const maxSlots = 10_000

// running is how much the agent has to do, for choosing the least busy. d.mu is held.
func (s *Session) running() int { return len(s.held) + s.reserved }

// offer registers an execution that is being offered and returns its sequence. d.mu is held.
func (s *Session) offer(x octopus.Execution) int64 {
	s.held[x.ID] = holdingOf(x)
	s.quiet = false
	s.offers++
	return s.offers
}

func holdingOf(x octopus.Execution) *holding {
	return &holding{
		fence: x.Fence, attempt: x.Attempt, plugin: x.Plugin, digest: x.Digest, lostAfter: x.LostAfter,
		running: x.Status == octopus.Running, taken: x.Status == octopus.Running, goAt: x.GoAt, silent: x.Silent,
	}
}

// holds returns the holding of an execution under a fence, nil when there is none. d.mu is held.
func (s *Session) holds(execution string, fence int64) *holding {
	if h := s.held[execution]; h != nil && h.fence == fence {
		return h
	}
	return nil
}

// drop forgets an execution under a fence. d.mu is held.
func (s *Session) drop(execution string, fence int64) {
	if s.holds(execution, fence) != nil {
		delete(s.held, execution)
		s.quiet = false
	}
}

// digest is what the agent's heartbeat should carry. d.mu is held.
func (s *Session) digest() string {
	items := make([]wire.Item, 0, len(s.held))
	for id, h := range s.held {
		if h.taken {
			items = append(items, wire.Item{Execution: id, Fence: h.fence})
		}
	}
	return wire.DigestItems(items)
}

// send queues a message for the agent.
func (s *Session) send(m wire.Message) bool { return s.link.Send(m) }
