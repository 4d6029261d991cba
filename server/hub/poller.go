package hub

import (
	"errors"
	"sync"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// lastAnswer is how long a goodbye waits for a poll to travel with, or for that of a socket's peer.
const lastAnswer = 5 * time.Second

// poller is a session of long polls. The requests of the agent come and go; the connection's reader and writer see
// a pipe. Frames to the agent wait in a window until a poll acknowledges them, so that a lost answer loses nothing.
// A full window holds the writer up, and then the outbox bounds what waits, as it does for a socket.
type poller struct {
	hub     *Hub // these are static
	agent   octopus.Agent
	session string
	in      chan job      // from requests to the reader; unbuffered, so that a slow reader holds requests up
	gone    chan struct{} // closed by kill
	taking  chan struct{} // held by the request whose frames are taken in

	mu      sync.Mutex      // guards what follows
	step    wire.PollServer // decides
	killed  bool            // gone is closed
	why     string          // why it ended
	polls   int             // requests that are being answered
	changed chan struct{}   // closed and renewed whenever a waiting request should look again
	leaving chan struct{}   // closed when there is a goodbye: nothing more is taken in
	told    chan struct{}   // closed when an answer carried the goodbye
	gap     *time.Timer     // ends the session when no poll comes; it rests while one is being answered
}

func newPoller(h *Hub, agent octopus.Agent, session string) *poller {
	p := &poller{
		hub: h, agent: agent, session: session, in: make(chan job), gone: make(chan struct{}), taking: make(chan struct{}, 1),
		changed: make(chan struct{}), leaving: make(chan struct{}), told: make(chan struct{}),
	}
	p.gap = time.AfterFunc(h.cfg.PollWithin, func() { p.stop("the agent stopped polling") })
	return p
}

// change wakes the requests that wait. p.mu is held.
func (p *poller) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

var errGone = errors.New("no more polls")

func (p *poller) next() (job, error) {
	select {
	case j := <-p.in:
		return j, nil
	case <-p.gone:
		return job{}, errGone
	}
}

func (p *poller) put(frame []byte) bool {
	timeout := time.NewTimer(writeWithin)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		if p.step.Add(frame, softMessages) {
			p.change()
			p.mu.Unlock()
			return true
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-p.gone:
			return false
		case <-timeout.C:
			return false
		}
	}
}

func (p *poller) bye(code int, why string) {
	p.mu.Lock()
	p.step.Close = &wire.PollClose{Code: code, Reason: clip(why, 120)}
	close(p.leaving)
	p.change()
	p.mu.Unlock()
	timeout := time.NewTimer(lastAnswer)
	defer timeout.Stop()
	select {
	case <-p.told:
	case <-p.gone:
	case <-timeout.C:
	}
	p.kill()
}

func (p *poller) cause(error) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.why == "" {
		return "the connection was ended"
	}
	return p.why
}

// alive answers the waiting poll and wants to see the next.
func (p *poller) alive(within time.Duration) bool {
	timeout := time.NewTimer(within)
	defer timeout.Stop()
	p.mu.Lock()
	seen := p.step.Newest()
	p.step.Prod()
	p.change()
	p.mu.Unlock()
	for {
		p.mu.Lock()
		newest, changed := p.step.Newest(), p.changed
		p.mu.Unlock()
		if newest > seen {
			return true
		}
		select {
		case <-changed:
		case <-p.gone:
			return false
		case <-timeout.C:
			return false
		}
	}
}

func (p *poller) kill() { p.stop("") }

// stop ends the session. The first reason counts.
func (p *poller) stop(why string) {
	p.mu.Lock()
	if p.killed {
		p.mu.Unlock()
		return
	}
	p.killed, p.why = true, why
	p.gap.Stop()
	close(p.gone)
	p.mu.Unlock()
	p.hub.forget(p)
}

func (p *poller) transport() octopus.Transport { return octopus.TransportHTTP }
