package hub

import (
	"context"
	"errors"
	"maps"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
)

// conn is one agent's connection, over a WebSocket or long polls. Its reader goroutine owns it: it ends when that one
// does.
type conn struct {
	hub         *Hub // these are static
	pipe        pipe
	agent       octopus.Agent
	incarnation string
	remote      string
	jobs        chan<- job

	session *dispatch.Session // set by the reader before the first frame is queued

	out outbox
}

// run says hello, then leaves reading to a fresh goroutine: decoding the hello and opening the session grew this
// one's stack, and an idle connection should not keep that.
func (c *conn) run() {
	cause, err := c.greet()
	c.agent = octopus.Agent{ID: c.agent.ID, Name: c.agent.Name} // the rest is the session's now
	if err != nil {
		c.end(cause)
		return
	}
	go c.loop()
}

// loop reads until the connection ends. It is the connection's only reader.
func (c *conn) loop() { c.end(c.read()) }

// end leaves nothing of the connection.
func (c *conn) end(cause string) {
	defer c.hub.wg.Done()
	if c.session != nil {
		c.flush()
		c.session.Detach(cause)
		c.closeSession(cause)
	}
	c.out.finish() // what says goodbye may still be on its way
	c.pipe.kill()
	c.hub.remove(c)
}

// greet takes the hello and opens the session.
func (c *conn) greet() (cause string, err error) {
	timer := time.AfterFunc(c.hub.cfg.HelloWithin, c.pipe.kill)
	first, err := c.pipe.next()
	timer.Stop()
	if err != nil {
		return "it left before it said hello", err
	}
	hello, err := decodeHello(first.frame)
	if err == nil && hello.Agent != c.agent.ID {
		err = octopus.Errorf(octopus.CodeMalformed, "The hello names another agent than the one that connected.")
	}
	if err != nil {
		c.refuse(err)
		return "", err
	}
	if hello.Version < wire.Version-2 {
		c.Close(wire.CloseTooOld, tooOld(hello.Version), 0, 0)
		return "", errors.New("too old")
	}
	if err := c.open(hello); err != nil {
		c.hub.cfg.Log.Error("session not opened", "agent", c.agent.Name, "err", err)
		c.Close(wire.CloseOverloaded, octopus.Sentence(err), time.Second, 10*time.Second)
		return "", err
	}
	return "", nil
}

// open writes the session row and attaches to the dispatcher.
func (c *conn) open(hello *wire.Hello) error {
	c.hub.admit.again()
	defer c.hub.admit.leave()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	row := octopus.AgentSession{
		AgentID: c.agent.ID, ServerID: c.hub.cfg.ServerID, RemoteAddr: c.remote,
		// The journal's id is kept with it: after a restart of the server it tells what the agent's silence proves.
		Incarnation: clip(hello.Incarnation, 100) + "/" + clip(hello.JournalID, 100),
	}
	c.dropLabels(hello.Facts.Labels)
	hello.Facts.Transport, hello.Facts.TransportReason = c.pipe.transport(), clip(hello.Facts.TransportReason, 300)
	epoch, err := c.hub.cfg.Store.OpenSession(ctx, row, hello.Facts)
	if err != nil {
		return err
	}
	c.hub.present(c)
	c.session, err = c.hub.cfg.Dispatch.Attach(ctx, dispatch.AttachRequest{
		Agent: c.agent, Hello: *hello, Epoch: epoch, RemoteAddr: c.remote, Link: c,
	})
	return err
}

// dropLabels leaves out what no selector could name. A machine that nobody can reach is not kept out for it: whoever
// configures an agent, or enrols one, is told.
func (c *conn) dropLabels(labels map[string]string) {
	maps.DeleteFunc(labels, func(name, value string) bool {
		err := octopus.CheckLabels(map[string]string{name: value})
		if err != nil {
			c.hub.cfg.Log.Warn("label left out", "agent", c.agent.Name, "label", clip(name, 100), "err", err)
		}
		return err != nil
	})
}

func (c *conn) closeSession(cause string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := c.hub.cfg.Store.CloseSession(ctx, c.agent.ID, c.session.Epoch(), cause); err != nil {
		c.hub.cfg.Log.Warn("session not closed", "agent", c.agent.Name, "err", err)
	}
}

// read queues frames until the connection ends, and says why it did.
func (c *conn) read() (cause string) {
	for {
		j, err := c.pipe.next()
		if err != nil {
			return c.cause(err)
		}
		j.c = c
		c.jobs <- j
	}
}

// flush waits until every frame that was read is handled.
func (c *conn) flush() {
	done := make(chan struct{})
	c.jobs <- job{c: c, done: done}
	<-done
}

// handle decodes one frame and hands it on. Only the connection's shard calls it.
func (c *conn) handle(frame []byte) {
	if c.out.ended() {
		return // what comes after a refusal is not listened to
	}
	if !utf8.Valid(frame) {
		c.refuse(octopus.Errorf(octopus.CodeMalformed, "A frame is not UTF-8."))
		return
	}
	m, err := wire.Decode(frame)
	if errors.Is(err, wire.ErrUnknownType) {
		return // a newer agent says more than we understand
	}
	if err == nil {
		err = c.session.Handle(context.Background(), m)
	}
	if err != nil {
		c.refuse(err)
	}
}

// refuse ends a connection that broke the protocol, and notes why at its agent.
func (c *conn) refuse(err error) {
	reason := err.Error()
	if octopus.CodeOf(err) != octopus.CodeInternal {
		reason = octopus.Sentence(err)
	}
	c.hub.malformed.Add(1)
	c.hub.cfg.Log.Warn("agent broke the protocol", "agent", c.agent.Name, "reason", reason)
	c.hub.note(c.agent.ID, reason)
	c.Close(int(websocket.StatusPolicyViolation), reason, 0, 0)
}

// cause says for people why reading ended, and counts what the agent is to blame for.
func (c *conn) cause(err error) string {
	if reason := c.out.reason(); reason != "" {
		return reason
	}
	if cause := c.pipe.cause(err); cause != "" {
		return cause
	}
	if errors.Is(err, websocket.ErrMessageTooBig) { // the library has said so to the agent
		err = errTooBig
		c.hub.malformed.Add(1)
		c.hub.note(c.agent.ID, octopus.Sentence(err))
		return octopus.Sentence(err)
	}
	c.refuse(err)
	return octopus.Sentence(err)
}

func decodeHello(frame []byte) (*wire.Hello, error) {
	m, err := wire.Decode(frame)
	if err != nil {
		return nil, err
	}
	hello, ok := m.(*wire.Hello)
	if !ok {
		return nil, octopus.Errorf(octopus.CodeMalformed, "The first message of a connection is a hello.")
	}
	return hello, nil
}

// clip cuts text to at most n bytes, at the end of a character.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && text[n]&0xc0 == 0x80 {
		n--
	}
	return text[:n]
}
