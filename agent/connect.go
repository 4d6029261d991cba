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
	"octopus/internal/wire"
)

// Bounds of what waits to be written to the socket. At the bound the socket is closed: the hello of the next one
// repairs what was lost. Messages that may be lost are not queued once half of it is taken.
const (
	queueFrames = 4096
	queueBytes  = 8 << 20
)

// session is one open socket.
type session struct {
	cancel  context.CancelCauseFunc
	wake    chan struct{} // the writer has something to do
	goodbye chan struct{} // closed: write what is queued, then close the socket
	done    chan struct{} // closed: the socket is gone

	mu     sync.Mutex // guards what follows
	queue  [][]byte
	bytes  int
	window link.Window // when the server wants the agent back
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

// connect keeps one socket open until ctx ends. It is a goroutine of Run.
func (a *Agent) connect(ctx context.Context) {
	var backoff link.Backoff
	for ctx.Err() == nil {
		held, window, err := a.converse(ctx)
		if ctx.Err() != nil || errors.Is(err, errGoodbye) {
			return
		}
		wait := backoff.Next(err, held, window)
		a.noteOffline(err, wait)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
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

// converse opens a socket and reads it to its end.
func (a *Agent) converse(ctx context.Context) (held time.Duration, window link.Window, err error) {
	conn, err := a.client.Dial(ctx, a.linkID())
	if err != nil {
		return 0, link.Window{}, err
	}
	defer conn.CloseNow()
	ctx, cancel := context.WithCancelCause(ctx)
	s := &session{
		cancel: cancel, wake: make(chan struct{}, 1), goodbye: make(chan struct{}), done: make(chan struct{}),
	}
	defer close(s.done)
	opened := time.Now()
	a.setSession(s)
	a.post(core.Connected{Hello: wire.Hello{
		Agent: a.id.Agent, Incarnation: a.incarnation, JournalID: a.journal.ID(), Facts: a.facts(),
	}})
	var wg sync.WaitGroup
	wg.Go(func() { a.write(ctx, conn, s) })
	err = a.read(ctx, conn)
	cancel(err)
	wg.Wait()
	a.setSession(nil)
	a.logs.Disconnected()
	a.calls.disconnected()
	a.post(core.Disconnected{})
	select {
	case <-s.goodbye:
		return time.Since(opened), link.Window{}, errGoodbye
	default:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Since(opened), s.window, context.Cause(ctx)
}

// read hands every message on, in order, until the socket ends.
func (a *Agent) read(ctx context.Context, conn *link.Conn) error {
	for {
		m, err := conn.Read(ctx)
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
			if w, ok := m.(*wire.Welcome); ok {
				a.status.online(w.Name)
				a.config.Log.Info("connected", "server", a.client.Server(), "name", w.Name, "server_version", w.ServerVersion)
			}
			a.post(core.Message{Message: m})
		}
	}
}

// write sends what is queued until the socket ends. After the last word of a closing agent it says good-bye.
func (a *Agent) write(ctx context.Context, conn *link.Conn, s *session) {
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

func (a *Agent) flush(ctx context.Context, conn *link.Conn, s *session) {
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
func (a *Agent) fetchModule(ctx context.Context, digest string, limit int64, w io.Writer) error {
	return a.client.Module(ctx, a.linkID(), digest, limit, w)
}
