package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/coder/websocket"

	"octopus/agent/link"
	"octopus/internal/wire"
)

// stay keeps the agent connected until ctx ends, and comes back as an agent does. first is called when it is there
// for the first time, or never will.
func (s *simulated) stay(ctx context.Context, gate chan struct{}, first func()) {
	select {
	case gate <- struct{}{}:
	case <-ctx.Done():
		first()
		return
	}
	there := func() {
		if first != nil {
			<-gate
			first()
			first = nil
			return
		}
		s.fleet.reconnects.Add(1)
	}
	var backoff link.Backoff
	for ctx.Err() == nil {
		held, window, err := s.session(ctx, there)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			s.fleet.failed.add(err)
		}
		pause(ctx, backoff.Next(err, held, window))
	}
	if first != nil {
		first()
	}
}

// session is one connection, from the nonce to its end. The window is when the server wants the agent back.
func (s *simulated) session(ctx context.Context, welcomed func()) (held time.Duration, window link.Window, err error) {
	started := time.Now()
	conn, welcome, err := s.connect(ctx)
	if err != nil {
		return 0, window, err
	}
	opened := time.Now()
	s.fleet.connected.add(opened.Sub(started))
	s.fleet.arrivals.add()
	s.fleet.online.Add(1)
	defer s.fleet.online.Add(-1)
	welcomed()
	err = s.beat(ctx, conn, welcome, &window)
	return time.Since(opened), window, err
}

// beat keeps the connection until it or ctx ends. The error says why it ended by itself.
func (s *simulated) beat(ctx context.Context, conn *websocket.Conn, w *wire.Welcome, window *link.Window) error {
	session, end := context.WithCancelCause(ctx)
	defer conn.CloseNow()
	c := &talk{simulated: s, conn: conn, sent: make(chan time.Time, 1)}
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		end(c.listen(session, window))
	}()
	if s.slots > 0 {
		ending := make(chan struct{})
		go func() {
			defer close(ending)
			c.endWork(session)
		}()
		defer func() { <-ending }()
	}
	end(c.heartbeats(session, w))
	<-listening
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(session)
}

// talk is one open connection.
type talk struct {
	*simulated
	conn *websocket.Conn
	sent chan time.Time // the heartbeat under way; the next one waits for its answer
}

// heartbeats sends them as the server asked, until ctx ends.
func (c *talk) heartbeats(ctx context.Context, w *wire.Welcome) error {
	timer := time.NewTimer(time.Duration(w.FirstAfterMS) * time.Millisecond)
	defer timer.Stop()
	for seq := int64(1); ; seq++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		select {
		case c.sent <- time.Now():
		default:
			return errors.New("a heartbeat was not acknowledged before the next")
		}
		items := c.items()
		beat := &wire.Heartbeat{Seq: seq, Free: max(0, c.slots-len(items)), LastOffer: int64(min(len(items), 1)), Digest: wire.DigestItems(items)}
		if err := send(ctx, c.conn, beat); err != nil {
			return fmt.Errorf("heartbeat: %w", err)
		}
		timer.Reset(time.Duration(w.HeartbeatMS) * time.Millisecond)
	}
}

// listen reads until the connection ends, and times the acknowledgements.
func (c *talk) listen(ctx context.Context, window *link.Window) error {
	for {
		m, err := receive(ctx, c.conn)
		if err != nil {
			return fmt.Errorf("connection: %w", err)
		}
		switch m := m.(type) {
		case *wire.HeartbeatAck:
			select {
			case at := <-c.sent:
				c.fleet.heartbeats.add(time.Since(at))
			default:
			}
			if m.Rehello {
				err = send(ctx, c.conn, c.present())
			}
		case *wire.Drain:
			*window = link.Window{Min: time.Duration(m.ReconnectMinMS) * time.Millisecond, Max: time.Duration(m.ReconnectMaxMS) * time.Millisecond}
		default:
			err = c.work(ctx, m)
		}
		if err != nil {
			return err
		}
	}
}

// work answers what is said about executions.
func (c *talk) work(ctx context.Context, m wire.Message) error {
	j := &c.fleet.journal
	switch m := m.(type) {
	case *wire.Offer:
		j.take(c.id, m.Execution, m.Fence)
		return send(ctx, c.conn, &wire.Accept{Execution: m.Execution, Fence: m.Fence})
	case *wire.Go:
		j.start(c.id, m.Execution, m.Attempt, m.Fence)
	case *wire.Withdrawn:
		j.drop(c.id, m.Execution, false)
	case *wire.ResultAck:
		j.drop(c.id, m.Execution, m.Verdict == wire.VerdictCommitted || m.Verdict == wire.VerdictDuplicate)
	case *wire.HelloAnswer:
		for _, it := range m.Items {
			switch it.Answer {
			case wire.AnswerGo:
				j.start(c.id, it.Execution, it.Attempt, it.Fence)
			case wire.AnswerDiscard, wire.AnswerCancel:
				j.drop(c.id, it.Execution, false)
			}
		}
	}
	return nil
}

// resultsEvery is how often a result is sent until it is acknowledged.
const resultsEvery = 5 * time.Second

// endWork reports the results when the fleet lets go of its work.
func (c *talk) endWork(ctx context.Context) {
	select {
	case <-c.fleet.journal.released:
	case <-ctx.Done():
		return
	}
	for {
		for _, r := range c.fleet.journal.results(c.id) {
			if send(ctx, c.conn, &r) != nil {
				return
			}
		}
		if !pause(ctx, resultsEvery) {
			return
		}
	}
}

func send(ctx context.Context, conn *websocket.Conn, m wire.Message) error {
	frame, err := wire.Encode(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, frame)
}

func receive(ctx context.Context, conn *websocket.Conn) (wire.Message, error) {
	for {
		_, frame, err := conn.Read(ctx)
		if err != nil {
			return nil, err
		}
		if m, err := wire.Decode(frame); !errors.Is(err, wire.ErrUnknownType) {
			return m, err
		}
	}
}

// pause waits; it reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
