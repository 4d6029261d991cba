package link

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// nonceKept is how long nonces are used that came with an answer; they are valid for 60 s.
const nonceKept = 45 * time.Second

// Polls is a session of long polls: a WebSocket's frames, for where none comes through. One goroutine reads, one
// writes. A poll waits at the server for frames; whatever is written meanwhile goes with another one, which ends the
// wait of the first. Frames are kept until the server has acknowledged them.
type Polls struct {
	client *Client
	id     Identity
	cancel context.CancelFunc
	wg     sync.WaitGroup // run, and the requests under way

	in      chan wire.Message // to Read
	wake    chan struct{}     // there is something to send
	results chan result       // of requests, to run
	done    chan struct{}     // closed when run has ended; err says why
	err     error

	pause  <-chan time.Time // before the next poll after a failure, nil without one; of run, and of Close after it
	nonces []nonce          // likewise

	mu   sync.Mutex       // guards what follows
	step *wire.PollClient // decides
	room chan struct{}    // closed and renewed when there is room again for frames
}

type nonce struct {
	value string
	until time.Time
}

// request is one poll under way.
type request struct {
	poll   *wire.Poll
	header http.Header
	since  time.Time
	cached bool // its nonce came with an earlier answer
}

type result struct {
	*request
	answer *wire.Polled
	err    error
}

// Poll begins a session of long polls; because says why it is not a WebSocket. The first frame that is written, the
// hello, opens it at the server: a refusal is the error of Read.
func (c *Client) Poll(ctx context.Context, id Identity, because string) *Polls {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &Polls{
		client: c, id: id, cancel: cancel, step: wire.NewPollClient(strings.ToLower(rand.Text()), because),
		in: make(chan wire.Message), wake: make(chan struct{}, 1), results: make(chan result), done: make(chan struct{}),
		room: make(chan struct{}),
	}
	p.wg.Go(func() {
		defer close(p.done)
		p.err = p.run(ctx)
		cancel()
	})
	return p
}

// Read returns the next message, as [Conn.Read] does.
func (p *Polls) Read(ctx context.Context) (wire.Message, error) {
	select {
	case m := <-p.in:
		return m, nil
	case <-p.done:
		return nil, p.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Write queues one frame; while too many wait for the server it waits, for at most 10 s.
func (p *Polls) Write(ctx context.Context, frame []byte) error {
	timeout := time.NewTimer(10 * time.Second)
	defer timeout.Stop()
	for {
		room, ok := p.queue(frame)
		if ok {
			select {
			case p.wake <- struct{}{}:
			default:
			}
			return nil
		}
		select {
		case <-room:
		case <-p.done:
			return errors.New("write: the session has ended")
		case <-timeout.C:
			return errors.New("write: the server does not take what is sent")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (p *Polls) queue(frame []byte) (room <-chan struct{}, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.room, p.step.Add(frame)
}

// Close sends what is queued, says good-bye and ends the session.
func (p *Polls) Close(reason string) {
	p.CloseNow()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	p.mu.Lock()
	poll := p.step.Bye(reason)
	p.mu.Unlock()
	header, _, err := p.sign(ctx)
	if err == nil {
		_, _ = p.client.poll(ctx, header, poll) // the server notices by itself where this does not arrive
	}
}

// CloseNow ends the session without a word.
func (p *Polls) CloseNow() {
	p.cancel()
	p.wg.Wait()
}

// run keeps a poll waiting at the server until ctx ends or the session does.
func (p *Polls) run(ctx context.Context) error {
	for {
		if err := p.start(ctx); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.wake:
		case <-p.pause:
			p.pause = nil
		case r := <-p.results:
			if err := p.take(ctx, r); err != nil {
				return err
			}
		}
	}
}

// start sends the polls that are due: what waits is sent, and a poll waits.
func (p *Polls) start(ctx context.Context) error {
	for p.pause == nil {
		p.mu.Lock()
		poll := p.step.Next()
		p.mu.Unlock()
		if poll == nil {
			return nil
		}
		r := &request{poll: poll, since: time.Now()}
		var err error
		if r.header, r.cached, err = p.sign(ctx); err != nil {
			if err = p.failed(r, err); err != nil {
				return err
			}
			continue
		}
		p.wg.Go(func() { p.post(ctx, r) })
	}
	return nil
}

func (p *Polls) post(ctx context.Context, r *request) {
	timed, cancel := context.WithTimeout(ctx, wire.PollSlack+time.Duration(r.poll.WaitMS)*time.Millisecond)
	defer cancel()
	answer, err := p.client.poll(timed, r.header, r.poll)
	select {
	case p.results <- result{r, answer, err}:
	case <-ctx.Done():
	}
}

// take looks at what became of a poll.
func (p *Polls) take(ctx context.Context, r result) error {
	if r.err != nil {
		return p.broken(r)
	}
	for _, n := range r.answer.Nonces[:min(2, len(r.answer.Nonces))] {
		p.nonces = append(p.nonces, nonce{n, time.Now().Add(nonceKept)})
	}
	p.nonces = p.nonces[max(0, len(p.nonces)-4):]
	p.mu.Lock()
	frames, freed, pause, ended := p.step.Answered(r.poll, r.answer)
	if freed {
		close(p.room)
		p.room = make(chan struct{})
	}
	p.mu.Unlock()
	if err := p.hand(ctx, frames); err != nil {
		return err
	}
	if c := r.answer.Close; c != nil {
		return &Closed{c.Code, c.Reason}
	}
	p.rest(pause)
	return ended
}

// hand passes frames on.
func (p *Polls) hand(ctx context.Context, frames []json.RawMessage) error {
	for _, frame := range frames {
		m, err := wire.Decode(frame)
		if errors.Is(err, wire.ErrUnknownType) {
			continue
		}
		if err != nil {
			return err
		}
		select {
		case p.in <- m:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// broken decides whether a poll that failed is sent again.
func (p *Polls) broken(r result) error {
	p.mu.Lock()
	newest := p.step.Newest(r.poll)
	p.mu.Unlock()
	var refusal *Refused
	switch known := newest && errors.As(r.err, &refusal); {
	case known && refusal.Status == http.StatusUnauthorized && r.cached:
		p.nonces = nil // they took too long, or a proxy sent the request twice
		p.mu.Lock()
		defer p.mu.Unlock()
		p.step.Again(r.poll)
		return nil
	case known && refusal.Code != "" && (refusal.Permanent() || r.poll.Opens()):
		return refusal
	}
	return p.failed(r.request, r.err)
}

// failed pauses before the next poll, or gives the session up.
func (p *Polls) failed(r *request, cause error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	pause, err := p.step.Failed(r.poll, time.Since(r.since), cause)
	p.rest(pause)
	return err
}

// rest waits before the next poll.
func (p *Polls) rest(d time.Duration) {
	if d > 0 {
		p.pause = time.After(d)
	}
}

// sign takes a nonce that came with an answer, or asks for one.
func (p *Polls) sign(ctx context.Context) (header http.Header, cached bool, err error) {
	for len(p.nonces) > 0 {
		n := p.nonces[0]
		p.nonces = p.nonces[1:]
		if time.Now().Before(n.until) {
			return p.client.signWith(p.id, n.value, http.MethodPost, wire.PathHeartbeat), true, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, wire.PollSlack)
	defer cancel()
	header, err = p.client.sign(ctx, p.id, http.MethodPost, wire.PathHeartbeat)
	return header, false, err
}

// poll sends one poll and reads its answer. Refusals are *Refused.
func (c *Client) poll(ctx context.Context, header http.Header, poll *wire.Poll) (*wire.Polled, error) {
	body, err := wire.EncodePoll(poll)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url(wire.PathHeartbeat), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("poll: %w", err)
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.polls.Do(req)
	if err != nil {
		return nil, transportError(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, refused(resp)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxPoll+1))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	answer, err := wire.DecodePolled(raw)
	if err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "%s answers polls, but not as an Octopus server. Check the address and any proxy before it.", c.base.Host)
	}
	return answer, nil
}
