package sim

import (
	"context"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
)

// hubConn is the server's end of a connection: what server/hub does between the socket and dispatch.
type hubConn struct {
	c       *conn
	s       *server
	session *dispatch.Session
	inbox   []wire.Message
	opening bool // the session row is being written
	over    bool // a goodbye was sent: nothing more goes out, and what comes is not listened to
	ended   bool
	cause   string // why reading ended; "" while it goes on
}

// admit is what comes before the upgrade.
func (s *server) admit(m *machine) error {
	if s.draining {
		return refusal(octopus.CodeUnavailable, "The server is stopping.")
	}
	present := s.present[m.id]
	if present != nil && present.c.incarnation != m.incarnation && present.c.alive() {
		return refusal(octopus.CodeConflict, "Another process is connected.")
	}
	return nil
}

// take is one frame.
func (h *hubConn) take(m wire.Message) {
	if h.over || h.ended {
		return
	}
	h.inbox = append(h.inbox, m)
	if h.session == nil {
		if !h.opening {
			h.opening = true
			h.s.w.spawn(h.s.proc, h.open)
		}
		return
	}
	h.handle()
}

// handle gives what was read to dispatch, in order.
func (h *hubConn) handle() {
	for len(h.inbox) > 0 && !h.over {
		m := h.inbox[0]
		h.inbox = h.inbox[1:]
		if _, ok := m.(*wire.Heartbeat); ok {
			h.s.w.heard[h.c.m.id] = h.s.w.now
		}
		if err := h.session.Handle(context.Background(), m); err != nil {
			h.Close(1008, octopus.Sentence(err), 0, 0)
		}
	}
}

// open writes the session row and attaches to dispatch.
func (h *hubConn) open() {
	hello, ok := h.inbox[0].(*wire.Hello)
	if !ok {
		h.Close(1002, "The first message is a hello.", 0, 0)
		return
	}
	h.inbox = h.inbox[1:]
	epoch, err := h.s.db.openSession(octopus.AgentSession{
		AgentID: h.c.m.id, ServerID: h.s.id, Incarnation: hello.Incarnation + "/" + hello.JournalID,
	})
	if err != nil {
		h.Close(wire.CloseOverloaded, octopus.Sentence(err), time.Second, 10*time.Second)
		return
	}
	h.s.present[h.c.m.id] = h
	a := h.s.w.db.agent(h.c.m.id)
	session, err := h.s.d.Attach(context.Background(), dispatch.AttachRequest{Agent: a, Hello: *hello, Epoch: epoch, Link: h})
	h.session = session
	if err != nil {
		h.Close(1008, octopus.Sentence(err), 0, 0)
	}
	if h.cause != "" {
		h.end()
		return
	}
	h.handle()
}

// broke says that nothing more can be read.
func (h *hubConn) broke(cause string) {
	if h.cause != "" {
		return
	}
	h.cause = cause
	h.c.serverGone = true
	if h.opening && h.session == nil {
		return // open goes on, and ends it
	}
	h.end()
}

// end leaves nothing of the connection.
func (h *hubConn) end() {
	if h.ended || h.session == nil {
		return
	}
	h.handle()
	h.ended, h.over = true, true
	h.session.Detach(h.cause)
	h.s.w.spawn(h.s.proc, func() {
		_ = h.s.db.closeSession(h.c.m.id, h.session.Epoch())
		delete(h.s.conns, h)
		if h.s.present[h.c.m.id] == h {
			delete(h.s.present, h.c.m.id)
		}
	})
}

// Send implements dispatch.Link.
func (h *hubConn) Send(m wire.Message) bool {
	if h.over {
		return false
	}
	h.s.w.noteMessage(h.s.name, h.c.m.name, m)
	if p := h.c.polls; p != nil && p.hub != h {
		return true // an older session of the same polls: nobody reads it
	}
	h.c.send(false, m)
	return true
}

// Close implements dispatch.Link.
func (h *hubConn) Close(code int, why string, low, high time.Duration) {
	if h.over {
		return
	}
	if high > 0 {
		h.Send(&wire.Drain{ReconnectMinMS: low.Milliseconds(), ReconnectMaxMS: high.Milliseconds(), Reason: why})
	}
	h.s.w.note(h.s.name, "closes the connection of %s: %d %s", h.c.m.name, code, why)
	h.over = true
	if h.c.polls != nil {
		h.c.polls.goodbye(h, code, why)
		return
	}
	h.c.closeBy(true)
	h.s.w.after(h.s.w.between(0, 10*time.Millisecond), h.s.proc, func() { h.broke(why) })
}
