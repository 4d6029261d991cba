package hub

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/dispatch"
)

// conn is one agent's connection. Its reader goroutine owns it: it ends when that one does.
type conn struct {
	hub         *Hub // these are static
	ws          *websocket.Conn
	net         net.Conn
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
	c.kill()
	c.hub.remove(c)
}

// greet takes the hello and opens the session.
func (c *conn) greet() (cause string, err error) {
	timer := time.AfterFunc(c.hub.cfg.HelloWithin, c.kill)
	frame, err := c.next()
	timer.Stop()
	if err != nil {
		return "it left before it said hello", err
	}
	hello, err := decodeHello(frame)
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
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	row := octopus.AgentSession{
		AgentID: c.agent.ID, ServerID: c.hub.cfg.ServerID, RemoteAddr: c.remote,
		// The journal's id is kept with it: after a restart of the server it tells what the agent's silence proves.
		Incarnation: clip(hello.Incarnation, 100) + "/" + clip(hello.JournalID, 100),
	}
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
		frame, err := c.next()
		if err != nil {
			return c.cause(err)
		}
		c.jobs <- job{c: c, frame: frame}
	}
}

// flush waits until every frame that was read is handled.
func (c *conn) flush() {
	done := make(chan struct{})
	c.jobs <- job{c: c, done: done}
	<-done
}

// buffers hold frames while they are read: an idle connection has none.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// next reads one frame, at most wire.MaxFrame bytes.
func (c *conn) next() ([]byte, error) {
	kind, r, err := c.ws.Reader(context.Background())
	if err != nil {
		return nil, err
	}
	buffer := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buffer)
	buffer.Reset()
	if _, err := io.Copy(buffer, r); err != nil {
		return nil, err
	}
	if kind != websocket.MessageText {
		return nil, octopus.Errorf(octopus.CodeMalformed, "Messages are text frames.")
	}
	return bytes.Clone(buffer.Bytes()), nil
}

// handle decodes one frame and hands it on. Only the connection's shard calls it.
func (c *conn) handle(frame []byte) {
	if c.out.ended() {
		return // what comes after a refusal is not listened to
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

// cause says for people why reading ended.
func (c *conn) cause(err error) string {
	if reason := c.out.reason(); reason != "" {
		return reason
	}
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed):
		if closed.Reason != "" {
			return clip(closed.Reason, 200)
		}
		return "the agent closed the connection"
	case errors.Is(err, websocket.ErrMessageTooBig):
		reason := "A frame is over the limit of 256 KiB."
		c.hub.malformed.Add(1)
		c.hub.note(c.agent.ID, reason)
		return reason
	case octopus.CodeOf(err) == octopus.CodeMalformed:
		c.refuse(err)
		return octopus.Sentence(err)
	}
	return "the connection broke"
}

// alive pings the peer. The reader must be reading.
func (c *conn) alive(within time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return c.ws.Ping(ctx) == nil
}

// kill ends the connection without a word. It may be called more than once.
func (c *conn) kill() { c.ws.CloseNow() }

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
