package link

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"octopus/internal/wire"
)

// polled is a server of long polls that does what a test says.
type polled struct {
	*httptest.Server
	mu     sync.Mutex
	nonces int // asked for
	polls  []*wire.Poll
	answer func(ctx context.Context, p *wire.Poll) (*wire.Polled, int)
}

func newPolled(t *testing.T) (*polled, *Polls) {
	t.Helper()
	s := &polled{}
	s.Server = httptest.NewServer(s)
	client, err := New(Config{Server: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, key, _ := ed25519.GenerateKey(nil)
	p := client.Poll(t.Context(), Identity{Agent: "agt_1", Key: key}, "of the test")
	t.Cleanup(func() {
		p.CloseNow()
		client.Close()
		s.Close()
	})
	return s, p
}

func (s *polled) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == wire.PathNonce {
		s.mu.Lock()
		s.nonces++
		s.mu.Unlock()
		w.Write([]byte(`{"nonce":"asked"}`))
		return
	}
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	poll, err := wire.DecodePoll(raw)
	if err != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	s.mu.Lock()
	s.polls = append(s.polls, poll)
	answer := s.answer
	s.mu.Unlock()
	a, status := answer(r.Context(), poll)
	if status != http.StatusOK {
		w.WriteHeader(status)
		if status == http.StatusPreconditionFailed {
			w.Write([]byte(`{"code":"stale","detail":"The session has ended."}`))
		}
		return
	}
	a.Nonces = []string{"given", "given"}
	body, _ := wire.EncodePoll(a)
	w.Write(body)
}

// seen returns the polls that came so far.
func (s *polled) seen() []*wire.Poll {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*wire.Poll(nil), s.polls...)
}

func frames(t *testing.T, messages ...wire.Message) (list []json.RawMessage) {
	t.Helper()
	for _, m := range messages {
		frame, err := wire.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, frame)
	}
	return list
}

// hold waits as a server does that has nothing to say.
func hold(ctx context.Context) (*wire.Polled, int) {
	<-ctx.Done()
	return &wire.Polled{}, http.StatusOK
}

func beat(t *testing.T, p *Polls, seq int64) {
	t.Helper()
	if err := p.Write(t.Context(), frames(t, &wire.Heartbeat{Seq: seq})[0]); err != nil {
		t.Fatal(err)
	}
}

// TestNothingIsLostOrDoubled: the server takes frames in, but its answers and requests get lost and come twice.
func TestNothingIsLostOrDoubled(t *testing.T) {
	t.Parallel()
	s, p := newPolled(t)
	var mu sync.Mutex
	var got []int64 // heartbeats taken in
	var taken, n int64
	reply := frames(t, &wire.HeartbeatAck{Seq: 1}, &wire.HeartbeatAck{Seq: 2}, &wire.HeartbeatAck{Seq: 3})
	s.answer = func(ctx context.Context, poll *wire.Poll) (*wire.Polled, int) {
		mu.Lock()
		for i, f := range poll.Frames {
			if poll.Seq+int64(i) != taken+1 {
				continue
			}
			taken++
			m, _ := wire.Decode(f)
			got = append(got, m.(*wire.Heartbeat).Seq)
		}
		n++
		call, ack := n, taken
		mu.Unlock()
		switch {
		case call == 1:
			return nil, http.StatusBadGateway // taken in, but the answer was lost
		case len(poll.Frames) == 0 && poll.Ack == 3:
			return hold(ctx)
		case call == 2:
			return &wire.Polled{Ack: ack, Seq: 1, Frames: reply[:2]}, http.StatusOK
		}
		return &wire.Polled{Ack: ack, Seq: 1, Frames: reply}, http.StatusOK // all again, and one more
	}
	beat(t, p, 1)
	for want := int64(1); want <= 3; want++ {
		m, err := p.Read(t.Context())
		if a, ok := m.(*wire.HeartbeatAck); err != nil || !ok || a.Seq != want {
			t.Fatalf("%+v %v, not acknowledgement %d", m, err, want)
		}
	}
	beat(t, p, 2)
	beat(t, p, 3)
	all := func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == 3 }
	deadline, look := time.After(time.Minute), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for !all() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatal("the server has not heard everything")
		}
	}
	if got[0] != 1 || got[1] != 2 || got[2] != 3 {
		t.Errorf("the server has %v", got)
	}
	numbers := map[int64]bool{}
	for _, poll := range s.seen() { // they may arrive in another order
		if numbers[poll.Number] || poll.Number < 1 || poll.Number > int64(len(s.seen())) {
			t.Errorf("poll %d again, or out of range", poll.Number)
		}
		numbers[poll.Number] = true
	}
	if s.seen()[0].Because != "of the test" {
		t.Error("it does not say why it polls")
	}
}

// TestNoncesComeWithAnswers: in the steady state a heartbeat is one request.
func TestNoncesComeWithAnswers(t *testing.T) {
	t.Parallel()
	s, p := newPolled(t)
	s.answer = func(ctx context.Context, poll *wire.Poll) (*wire.Polled, int) {
		if len(poll.Frames) == 0 {
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
			}
			return &wire.Polled{}, http.StatusOK
		}
		last := poll.Seq + int64(len(poll.Frames)) - 1
		return &wire.Polled{Ack: last, Seq: last, Frames: frames(t, &wire.HeartbeatAck{Seq: last})}, http.StatusOK
	}
	for i := range int64(10) {
		beat(t, p, i)
		if _, err := p.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nonces > 2 {
		t.Errorf("%d nonces were asked for in %d polls", s.nonces, len(s.polls))
	}
}

func TestHowASessionEnds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer func() (*wire.Polled, int)
		check  func(error) bool
	}{
		"closed": {func() (*wire.Polled, int) {
			return &wire.Polled{Ack: 1, Close: &wire.PollClose{Code: wire.CloseDrain, Reason: "stop"}}, http.StatusOK
		}, func(err error) bool {
			var c *Closed
			return errors.As(err, &c) && c.Code == wire.CloseDrain
		}},
		"unknown session": {func() (*wire.Polled, int) { return nil, http.StatusPreconditionFailed }, func(err error) bool {
			var r *Refused
			return errors.As(err, &r) && r.Status == http.StatusPreconditionFailed
		}},
		"malformed frame": {func() (*wire.Polled, int) {
			return &wire.Polled{Ack: 1, Seq: 1, Frames: []json.RawMessage{[]byte(`{"t":"go","fence":"x"}`)}}, http.StatusOK
		}, func(err error) bool { return err != nil }},
	} {
		s, p := newPolled(t)
		s.answer = func(context.Context, *wire.Poll) (*wire.Polled, int) { return c.answer() }
		beat(t, p, 1)
		if m, err := p.Read(t.Context()); !c.check(err) {
			t.Errorf("%s: %+v %v", name, m, err)
		}
	}
}

// TestAFullWindowHoldsTheWriterUp, so that memory stays bounded.
func TestAFullWindowHoldsTheWriterUp(t *testing.T) {
	t.Parallel()
	s, p := newPolled(t)
	s.answer = func(ctx context.Context, _ *wire.Poll) (*wire.Polled, int) { return hold(ctx) }
	frame := []byte(`{"pad":"` + strings.Repeat("x", 100<<10) + `"}`)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for ; n < 100; n++ {
		if p.Write(ctx, frame) != nil {
			break
		}
	}
	if n != 2 {
		t.Errorf("%d frames of 100 KiB were taken", n)
	}
}
