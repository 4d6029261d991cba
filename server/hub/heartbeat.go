package hub

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// pollWithin is how long the body of a poll, or its answer, may take to come through.
const pollWithin = 20 * time.Second

// heartbeat takes a long poll, for agents whose proxy breaks WebSockets. The first of a session opens it: it is
// refused for the same reasons as a WebSocket, and what is below is the same.
func (h *Hub) heartbeat(w http.ResponseWriter, r *http.Request) {
	agent, poll, err := h.readPoll(w, r)
	if err != nil {
		h.turnAway(w, r, agent, err)
		return
	}
	p, err := h.pollerOf(r, agent, poll)
	if err != nil {
		h.turnAway(w, r, agent, err)
		return
	}
	answer, err := p.serve(r.Context(), poll)
	if err != nil {
		h.problem(w, r, err)
		return
	}
	h.answerPoll(w, p, answer)
}

// readPoll verifies who asks, then reads what. The agent comes with the error where it is known.
func (h *Hub) readPoll(w http.ResponseWriter, r *http.Request) (agent octopus.Agent, poll *wire.Poll, err error) {
	if err := gate(r); err != nil {
		return agent, nil, err
	}
	h.mu.Lock()
	known := h.polls[r.Header.Get(wire.HeaderAgent)]
	h.mu.Unlock()
	if known != nil {
		if err = h.cfg.Auth.VerifyKnown(r, known.agent); err == nil {
			agent = known.agent
		}
	} else if err = h.roomFor(); err == nil {
		agent, err = h.cfg.Auth.VerifyAgent(r.Context(), r)
		h.admit.leave()
	}
	if err != nil {
		return agent, nil, err
	}
	control := http.NewResponseController(w)
	if err := control.SetReadDeadline(time.Now().Add(pollWithin)); err != nil {
		return agent, nil, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, wire.MaxPoll))
	if err == nil {
		err = control.SetReadDeadline(time.Time{})
	}
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		h.malformed.Add(1)
		return agent, nil, octopus.Errorf(octopus.CodeTooLarge, "A poll is at most %d KiB.", wire.MaxPoll>>10)
	case err != nil:
		return octopus.Agent{}, nil, octopus.Errorf(octopus.CodeMalformed, "The body of the poll did not come through.")
	}
	if poll, err = wire.DecodePoll(body); err != nil {
		h.malformed.Add(1)
		return agent, nil, octopus.Errorf(octopus.CodeMalformed, "This is no poll: %s.", err)
	}
	return agent, poll, nil
}

// pollerOf returns the session of a poll, which the first poll opens.
func (h *Hub) pollerOf(r *http.Request, agent octopus.Agent, poll *wire.Poll) (*poller, error) {
	if p := h.openSession(agent.ID, poll.Session); p != nil {
		return p, nil
	}
	if !poll.Opens() {
		return nil, octopus.Errorf(octopus.CodeStale, "This server does not know the session of the poll. Open a new one.")
	}
	incarnation := r.Header.Get(wire.HeaderIncarnation)
	if err := h.roomFor(); err != nil {
		return nil, err
	}
	defer h.admit.leave()
	agent, err := h.cfg.Store.Agent(r.Context(), agent.ID) // what an older session knows may be out of date
	if err != nil {
		return nil, err
	}
	if agent.Revoked {
		return nil, octopus.Errorf(octopus.CodeDenied, "The agent %s was revoked. Enrol the machine again with a join token.", agent.Name)
	}
	if err := h.single(agent, incarnation); err != nil {
		return nil, err
	}
	key := octopus.Agent{ID: agent.ID, Name: agent.Name, PublicKey: agent.PublicKey}
	p := newPoller(h, key, poll.Session)
	c := &conn{hub: h, pipe: p, agent: agent, incarnation: incarnation, remote: h.cfg.Auth.ClientIP(r), jobs: h.shard(agent.ID)}
	if older := h.register(p); older != nil { // the same poll, sent twice side by side
		p.gap.Stop()
		return older, nil
	}
	if !h.add(c) {
		p.kill()
		return nil, stopping()
	}
	go c.run()
	return p, nil
}

// openSession is the agent's session of long polls, nil when it has another or none.
func (h *Hub) openSession(agentID, session string) *poller {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.polls[agentID]; p != nil && p.session == session {
		return p
	}
	return nil
}

// register makes p the agent's newest session, unless that very session is there: then it is returned.
func (h *Hub) register(p *poller) *poller {
	h.mu.Lock()
	defer h.mu.Unlock()
	if older := h.polls[p.agent.ID]; older != nil && older.session == p.session {
		return older
	}
	h.polls[p.agent.ID] = p
	return nil
}

// forget removes a session that has ended.
func (h *Hub) forget(p *poller) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.polls[p.agent.ID] == p {
		delete(h.polls, p.agent.ID)
	}
}

// serve takes in what a poll brings and waits for what there is to answer.
func (p *poller) serve(ctx context.Context, poll *wire.Poll) (*wire.Polled, error) {
	if err := p.begin(poll); err != nil {
		return nil, err
	}
	defer func() { p.finish(ctx.Err() != nil) }()
	if len(poll.Frames) > 0 {
		p.takeIn(ctx, poll)
	}
	if poll.Bye != "" {
		p.stop(clip(poll.Bye, 200))
		return &wire.Polled{}, nil
	}
	return p.await(ctx, poll)
}

// begin makes a poll the newest.
func (p *poller) begin(poll *wire.Poll) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.step.Begin(poll); err != nil {
		if octopus.CodeOf(err) == octopus.CodeMalformed {
			p.hub.malformed.Add(1)
		}
		return err
	}
	p.polls++
	p.gap.Stop()
	p.change()
	return nil
}

// finish lets the gap begin when no poll is left.
func (p *poller) finish(broken bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.polls--; p.polls > 0 || p.killed {
		return
	}
	gap := p.hub.cfg.PollWithin
	if broken { // a living agent comes back at once
		gap = gap * 2 / 5
	}
	p.gap.Reset(gap)
}

// takeIn hands the frames of a poll to the reader, those that came before left out, and returns when they were
// handled. After a gap nothing is taken: the answer tells where the agent should begin again.
func (p *poller) takeIn(ctx context.Context, poll *wire.Poll) {
	select {
	case p.taking <- struct{}{}:
		defer func() { <-p.taking }()
	case <-ctx.Done():
		return
	case <-p.gone:
		return
	}
	for i, frame := range poll.Frames {
		p.mu.Lock()
		fresh, gap := p.step.Fresh(poll.Seq + int64(i))
		p.mu.Unlock()
		if gap || fresh && !p.hand(ctx, job{frame: frame}) {
			return
		}
		if fresh {
			p.mu.Lock()
			p.step.Taken()
			p.mu.Unlock()
		}
	}
	handled := make(chan struct{})
	if p.hand(ctx, job{done: handled}) {
		select {
		case <-handled:
		case <-ctx.Done():
		case <-p.leaving:
		case <-p.gone:
		}
	}
}

func (p *poller) hand(ctx context.Context, j job) bool {
	select {
	case p.in <- j:
		return true
	case <-ctx.Done():
	case <-p.leaving:
	case <-p.gone:
	}
	return false
}

// await returns when there is something to say, a newer poll came, or the agent waited long enough.
func (p *poller) await(ctx context.Context, poll *wire.Poll) (*wire.Polled, error) {
	wait := min(time.Duration(poll.WaitMS)*time.Millisecond, wire.MaxPollWait)
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		p.mu.Lock()
		a, changed, killed := p.step.Answer(poll), p.changed, p.killed
		due := p.step.Due(poll)
		p.mu.Unlock()
		switch {
		case due || wait == 0:
			return a, nil
		case killed:
			return nil, octopus.Errorf(octopus.CodeStale, "The session has ended. Open a new one.")
		}
		p.hub.waiting.Add(1)
		select {
		case <-changed:
		case <-p.gone:
		case <-timeout.C:
			wait = 0
		case <-ctx.Done():
		}
		if p.hub.waiting.Add(-1); ctx.Err() != nil {
			return a, nil // nobody reads it
		}
	}
}

// answerPoll writes the answer with nonces for the next requests.
func (h *Hub) answerPoll(w http.ResponseWriter, p *poller, a *wire.Polled) {
	for range 2 { // one for the next poll, one for a poll that cannot wait for it
		nonce, _ := h.cfg.Auth.Nonce()
		a.Nonces = append(a.Nonces, nonce)
	}
	body, err := wire.EncodePoll(a)
	if err != nil {
		h.cfg.Log.Error("answer to a poll not encoded", "agent", p.agent.Name, "err", err)
		return
	}
	control := http.NewResponseController(w)
	if control.SetWriteDeadline(time.Now().Add(pollWithin)) != nil {
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	if _, err = w.Write(body); err == nil {
		err = control.Flush()
	}
	_ = control.SetWriteDeadline(time.Time{}) // the next request on this connection may be somebody else's
	if a.Close != nil && err == nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		select {
		case <-p.told:
		default:
			close(p.told)
		}
	}
}

// Polling is how many polls wait for something to say.
func (h *Hub) Polling() int { return int(h.waiting.Load()) }
