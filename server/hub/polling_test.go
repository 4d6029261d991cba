package hub_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// polling is a machine that polls as a test tells it to.
type polling struct {
	*machine
	session string
	number  int64
	ack     int64 // of the server's frames
	seq     int64 // of the last frame that was sent
	inbox   []wire.Message
}

// startPatient is start for tests of long polls: neither a missing heartbeat nor a pause between two polls, however
// slow the machine, ends a session.
func startPatient(t testing.TB, o settings) *server {
	t.Helper()
	o.dispatch.Heartbeat = cmp.Or(o.dispatch.Heartbeat, time.Minute)
	o.hub.PollWithin = cmp.Or(o.hub.PollWithin, time.Minute)
	return start(t, o)
}

func (m *machine) polling() *polling {
	return &polling{machine: m, session: octopus.NewID("", time.Now())}
}

// answered is what came back for a poll.
type answered struct {
	status int
	detail string
	*wire.Polled
}

// post sends a body as a signed poll.
func (p *polling) post(ctx context.Context, body []byte, headers http.Header) answered {
	p.t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.server.http.URL+wire.PathHeartbeat, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header = headers
	a, err := p.server.http.Client().Do(r)
	if err != nil {
		return answered{detail: err.Error()}
	}
	defer a.Body.Close()
	raw, err := io.ReadAll(a.Body)
	if err != nil {
		return answered{detail: err.Error()}
	}
	if a.StatusCode != http.StatusOK {
		var problem struct{ Detail string }
		json.Unmarshal(raw, &problem)
		return answered{status: a.StatusCode, detail: problem.Detail}
	}
	polled, err := wire.DecodePolled(raw)
	if err != nil {
		p.t.Errorf("the answer: %v", err)
	}
	return answered{status: a.StatusCode, Polled: polled}
}

// next is the next poll of the session, with frames.
func (p *polling) next(wait time.Duration, messages ...wire.Message) *wire.Poll {
	p.t.Helper()
	p.number++
	poll := &wire.Poll{Session: p.session, Number: p.number, Ack: p.ack, WaitMS: wait.Milliseconds()}
	for _, m := range messages {
		frame, err := wire.Encode(m)
		if err != nil {
			p.t.Fatal(err)
		}
		poll.Frames = append(poll.Frames, frame)
	}
	if len(messages) > 0 {
		poll.Seq = p.seq + 1
		p.seq += int64(len(messages))
	}
	return poll
}

// send sends a poll and takes in what it brings.
func (p *polling) send(poll *wire.Poll) answered {
	p.t.Helper()
	body, err := wire.EncodePoll(poll)
	if err != nil {
		p.t.Fatal(err)
	}
	a := p.post(context.Background(), body, p.sign(http.MethodPost, wire.PathHeartbeat))
	p.take(a)
	return a
}

// parked polls until a poll waits at the server because nothing is left to tell, and returns it and its answer to come.
// No other poll may wait there.
// What is told before, such as of plugins that changed while the hello was answered, is taken in.
func (p *polling) parked(ctx context.Context) (*wire.Poll, <-chan answered) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		poll := p.next(20 * time.Second)
		body, err := wire.EncodePoll(poll)
		if err != nil {
			p.t.Fatal(err)
		}
		headers, got := p.sign(http.MethodPost, wire.PathHeartbeat), make(chan answered, 1)
		go func() { got <- p.post(ctx, body, headers) }()
		for look := time.Tick(5 * time.Millisecond); ; {
			select {
			case a := <-got:
				if a.status != http.StatusOK || a.Close != nil {
					p.t.Fatalf("the poll: %d %s %+v", a.status, a.detail, a.Polled)
				}
				p.take(a)
			case <-look:
				if p.server.hub.Polling() == 0 {
					continue
				}
				return poll, got
			}
			break
		}
	}
	p.t.Fatal("no poll had to wait")
	return nil, nil
}

func (p *polling) take(a answered) {
	p.t.Helper()
	if a.Polled == nil {
		return
	}
	for i, frame := range a.Frames {
		if n := a.Seq + int64(i); n <= p.ack {
			continue
		} else if n != p.ack+1 {
			p.t.Fatalf("frame %d came after %d", n, p.ack)
		}
		p.ack++
		m, err := wire.Decode(frame)
		if err != nil {
			p.t.Fatal(err)
		}
		p.inbox = append(p.inbox, m)
	}
}

// open says hello and returns when it is answered.
func (p *polling) open(items ...wire.Item) *wire.HelloAnswer {
	p.t.Helper()
	a := p.send(p.next(0, &wire.Hello{
		Agent: p.id, Incarnation: p.incarnation, JournalID: p.journal, Version: wire.Version, Facts: p.facts(),
		Free: p.slots, Items: items, End: true,
	}))
	if a.status != http.StatusOK {
		p.t.Fatalf("open: %d %s", a.status, a.detail)
	}
	return awaited[*wire.HelloAnswer](p)
}

// awaited polls until a message of a type comes; others before it are passed over.
func awaited[T wire.Message](p *polling) T {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		for i, m := range p.inbox {
			if want, ok := m.(T); ok {
				p.inbox = p.inbox[i+1:]
				return want
			}
		}
		p.inbox = nil
		if time.Now().After(deadline) {
			var want T
			p.t.Fatalf("no %T came", want)
		}
		if a := p.send(p.next(5 * time.Second)); a.status != http.StatusOK || a.Close != nil {
			p.t.Fatalf("poll: %d %s %+v", a.status, a.detail, a.Polled)
		}
	}
}

// accept takes an offer and waits for its go.
func (p *polling) accept(o *wire.Offer) *wire.Go {
	p.t.Helper()
	p.send(p.next(0, &wire.Accept{Execution: o.Execution, Fence: o.Fence}))
	return awaited[*wire.Go](p)
}

func (p *polling) result(g *wire.Go, offer int64) *wire.Result {
	return (&link{machine: p.machine}).succeed(g, offer)
}

// closing sends a poll, and more until the server ends the session, and returns how.
func (p *polling) closing(t *testing.T, poll *wire.Poll) *wire.PollClose {
	t.Helper()
	for range 100 {
		a := p.send(poll)
		poll = p.next(5 * time.Second)
		if a.status != http.StatusOK {
			t.Fatalf("poll: %d %s", a.status, a.detail)
		}
		if a.Close != nil {
			return a.Close
		}
	}
	t.Fatal("the session was not ended")
	return nil
}
