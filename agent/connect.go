package agent

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"octopus/agent/core"
	"octopus/agent/link"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Bounds of what waits to be written to the socket. At the bound the socket is closed: the hello of the next one
// repairs what was lost. Messages that may be lost are not queued once half of it is taken.
const (
	queueFrames = 4096
	queueBytes  = 8 << 20
)

// session is one open connection: a WebSocket or long polls.
type session struct {
	via     octopus.Transport // static
	drain   chan link.Window  // the server wants the agent to come back within it; one is enough
	cancel  context.CancelCauseFunc
	wake    chan struct{} // the writer has something to do
	goodbye chan struct{} // closed: write what is queued, then close the socket
	done    chan struct{} // closed: the socket is gone

	mu     sync.Mutex // guards what follows
	queue  [][]byte
	bytes  int
	window link.Window // when the server wants the agent back
	next   *opened     // what takes this one's place, nil while there is nothing
	closed bool
}

// push queues a frame. optional frames are refused when half of the queue is taken.
func (s *session) push(frame []byte, optional bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	share := 1
	if optional {
		share = 2
	}
	if s.closed {
		return false
	}
	if len(s.queue) >= queueFrames/share || s.bytes+len(frame) > queueBytes/share {
		if !optional {
			s.closed = true
			s.cancel(errQueueFull)
		}
		return false
	}
	s.queue = append(s.queue, frame)
	s.bytes += len(frame)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

var errQueueFull = errors.New("the server reads too slowly")

// take empties the queue.
func (s *session) take() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	frames := s.queue
	s.queue, s.bytes = nil, 0
	return frames
}

// ending is how a connection ended, or that none came about.
type ending struct {
	held   time.Duration // 0: it never opened
	window link.Window   // when the server wants the agent back
	next   *opened       // what was opened in its place already
	err    error
}

// connect keeps one connection open until ctx ends. It is a goroutine of Run.
func (a *Agent) connect(ctx context.Context) {
	var backoff link.Backoff
	r := &route{mode: octopus.Transport(a.config.Transport), first: a.config.probeAfter}
	if r.mode == transportAuto {
		r.mode = ""
	}
	var c *opened
	for ctx.Err() == nil {
		var e ending
		var via octopus.Transport
		if c == nil {
			c, e.err = a.dial(ctx, r)
		}
		if c != nil {
			via = c.via
			e = a.converse(ctx, c, r)
		}
		if c = e.next; ctx.Err() != nil || errors.Is(e.err, errGoodbye) {
			break
		}
		if c != nil || r.ended(time.Now(), via, e.held, e.err) {
			continue
		}
		wait := backoff.Next(e.err, e.held, e.window)
		a.noteOffline(e.err, wait)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
	if c != nil {
		c.CloseNow()
	}
}

// noteOffline tells operators why there is no connection.
func (a *Agent) noteOffline(err error, wait time.Duration) {
	reason := reasonOffline(err)
	a.status.offline(reason)
	a.config.Log.Warn("not connected", "reason", reason, "next_try", wait.Round(time.Millisecond).String())
}

func reasonOffline(err error) string {
	var refused *link.Refused
	if errors.As(err, &refused) && refused.Status == http.StatusConflict {
		return refused.Sentence + " If this machine's disk was copied from another one, remove its data folder and enrol it anew."
	}
	return err.Error()
}

// converse says hello and reads a connection to its end.
func (a *Agent) converse(ctx context.Context, c *opened, r *route) ending {
	defer c.CloseNow()
	ctx, cancel := context.WithCancelCause(ctx)
	s := &session{
		via: c.via, cancel: cancel, drain: make(chan link.Window, 1),
		wake: make(chan struct{}, 1), goodbye: make(chan struct{}), done: make(chan struct{}),
	}
	defer close(s.done)
	opened := time.Now()
	a.setSession(s)
	facts := a.facts()
	facts.Transport, facts.TransportReason = c.via, c.because
	a.post(core.Connected{Hello: wire.Hello{
		Agent: a.id.Agent, Incarnation: a.incarnation, JournalID: a.journal.ID(), Facts: facts,
	}})
	var wg sync.WaitGroup
	wg.Go(func() { a.write(ctx, c, s) })
	wg.Go(func() { a.succeed(ctx, c, s, r) })
	err := a.read(ctx, c, s)
	cancel(err)
	wg.Wait()
	a.setSession(nil)
	a.logs.Disconnected()
	a.calls.disconnected()
	a.post(core.Disconnected{})
	e := ending{held: time.Since(opened), err: context.Cause(ctx)}
	select {
	case <-s.goodbye:
		e.err = errGoodbye
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.window, e.next = s.window, s.next
	return e
}

// succeed opens the connection that takes this one's place, and only then ends this one: when the server asks for
// that, and when it is time to try a WebSocket in the place of long polls. While nothing else opens this one stays.
func (a *Agent) succeed(ctx context.Context, c *opened, s *session, r *route) {
	wait, probe := r.untilProbe(time.Now())
	if !probe || c.via != octopus.TransportHTTP {
		wait = 1 << 62
	}
	var backoff link.Backoff
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case window := <-s.drain:
			probe = false
			timer.Reset(backoff.Next(nil, 0, window))
			continue
		case <-timer.C:
		}
		next, err := a.successor(ctx, c, probe)
		if err == nil {
			s.mu.Lock()
			s.next = next
			s.mu.Unlock()
			c.Close("it moves to another connection")
			return
		}
		a.config.Log.Debug("the connection stays as it is", "err", err)
		if wait = backoff.Next(err, 0, link.Window{}); probe {
			r.fallBack(time.Now(), r.because)
			wait, _ = r.untilProbe(time.Now())
		}
		timer.Reset(wait)
	}
}

// successor opens a WebSocket; in the place of long polls, unless it is to be one, long polls.
func (a *Agent) successor(ctx context.Context, c *opened, probe bool) (*opened, error) {
	if c.via == octopus.TransportHTTP && !probe {
		return &opened{a.client.Poll(ctx, a.linkID(), c.because), c.via, c.because}, nil
	}
	ws, err := a.client.Dial(ctx, a.linkID())
	if err != nil {
		return nil, err
	}
	return &opened{conn: ws, via: octopus.TransportWebSocket}, nil
}

// drained notes that the server wants the agent to come back within a window.
func (s *session) drained(m *wire.Drain) {
	low := time.Duration(m.ReconnectMinMS) * time.Millisecond
	w := link.Window{Min: low, Max: max(low, time.Duration(m.ReconnectMaxMS)*time.Millisecond, time.Millisecond)}
	s.mu.Lock()
	s.window = w
	s.mu.Unlock()
	select {
	case s.drain <- w:
	default:
	}
}

// read hands every message on, in order, until the socket ends.
func (a *Agent) read(ctx context.Context, c *opened, s *session) error {
	for {
		m, err := c.Read(ctx)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *wire.Reply:
			a.calls.answer(m)
		case *wire.LogAck:
			a.logs.Ack(m.Execution, m.Seq)
		case *wire.Broadcast:
			a.broadcast.apply(m)
		case *wire.Prefetch:
			a.noteModules(m.Modules)
		default:
			switch m := m.(type) {
			case *wire.Welcome:
				a.welcomed(m, c)
			case *wire.Drain:
				s.drained(m) // before the connection may end
			}
			a.post(core.Message{Message: m})
		}
	}
}

func (a *Agent) welcomed(w *wire.Welcome, c *opened) {
	a.status.online(w.Name, c)
	log := a.config.Log.With("server", a.client.Server(), "name", w.Name, "server_version", w.ServerVersion)
	if c.via == octopus.TransportHTTP {
		log.Warn("connected by HTTP long-poll", "because", c.because)
		return
	}
	log.Info("connected")
}

// write sends what is queued until the socket ends. After the last word of a closing agent it says good-bye.
func (a *Agent) write(ctx context.Context, conn conn, s *session) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.goodbye:
			a.flush(ctx, conn, s)
			conn.Close("the agent stops")
			s.cancel(errGoodbye)
			return
		case <-s.wake:
		}
		for _, frame := range s.take() {
			if err := conn.Write(ctx, frame); err != nil {
				s.cancel(err)
				return
			}
		}
		a.logs.Pump()
	}
}

// errGoodbye is how a session ends that the agent closed.
var errGoodbye = errors.New("the agent stops")

func (a *Agent) flush(ctx context.Context, conn conn, s *session) {
	for _, frame := range s.take() {
		if conn.Write(ctx, frame) != nil {
			return
		}
	}
}

func (a *Agent) setSession(s *session) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.session = s
}

func (a *Agent) current() *session {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.session
}

// transmit queues a message on the open socket. It may be called from any goroutine.
func (a *Agent) transmit(m wire.Message, optional bool) bool {
	s := a.current()
	if s == nil {
		return false
	}
	frame, err := wire.Encode(m)
	if err != nil {
		a.config.Log.Error("encode message", "err", err)
		return false
	}
	return s.push(frame, optional)
}

// post hands an event to the loop, and waits while it is busy.
func (a *Agent) post(e core.Event) { a.events <- e }

// fetchModule downloads a module from the server.
func (a *Agent) fetchModule(ctx context.Context, digest, refused string, limit int64, w io.Writer) (wire.SignedModule, error) {
	return a.client.Module(ctx, a.linkID(), digest, refused, limit, w)
}
