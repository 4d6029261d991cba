package wire

import (
	"encoding/json"
	"errors"
	"time"

	"octopus/internal/octopus"
)

// Times of long polls, on the side of the agent.
const (
	PollSlack    = 15 * time.Second // an answer may be this much later than it was asked for before it counts as lost
	shortestPoll = time.Second      // where connections are cut off, polls become shorter, down to this
	firstRetry   = 250 * time.Millisecond
	longestRetry = 2 * time.Second
	pollRetries  = 6 // in a row, about 8 s, before the session is given up
)

// PollClient is the agent's half of a session of long polls: which poll to send when, and what an answer means. It has
// no goroutine, clock or socket; its owner tells it what happens and does what it says.
type PollClient struct {
	session, because string
	wait             time.Duration // that polls ask for
	out              window        // to the server
	got              int64         // the last of the server's frames that was taken in
	number           int64         // of the newest poll
	waiting, sending int64         // numbers of the polls under way without frames and with; 0: none
	failures         int           // in a row
}

// NewPollClient begins a session; because says why it is not a WebSocket.
func NewPollClient(session, because string) *PollClient {
	return &PollClient{session: session, because: because, wait: MaxPollWait}
}

// Add takes a frame to be sent; false: too many are under way.
func (c *PollClient) Add(frame []byte) bool {
	if !c.out.room(frame, MaxPollFrames) {
		return false
	}
	c.out.add(frame)
	return true
}

// Next is the poll to send now, nil for none: one that carries what is not acknowledged, or one that waits. Before the
// first frame, the hello, there is nothing to ask.
func (c *PollClient) Next() *Poll {
	if c.sending != 0 || len(c.out.frames) == 0 && (c.waiting != 0 || c.number == 0) {
		return nil
	}
	c.number++
	if len(c.out.frames) > 0 {
		c.sending = c.number
	} else {
		c.waiting = c.number
	}
	return c.compose()
}

// Bye is the last poll of the session.
func (c *PollClient) Bye(reason string) *Poll {
	c.number++
	p := c.compose()
	p.Bye = reason
	return p
}

// compose makes the newest poll, of everything that is not acknowledged.
func (c *PollClient) compose() *Poll {
	p := &Poll{Session: c.session, Number: c.number, Ack: c.got, WaitMS: c.wait.Milliseconds()}
	p.Seq, p.Frames = c.out.under()
	if c.out.gone == 0 {
		p.Because = c.because
	}
	return p
}

// ended notes that a poll is not under way any more, and tells whether it was the newest. A poll that carried frames
// ended the wait of the one before.
func (c *PollClient) ended(p *Poll) (newest bool) {
	newest = p.Number == c.number
	if c.sending == p.Number {
		c.sending = 0
	}
	if c.waiting == p.Number || newest {
		c.waiting = 0
	}
	return newest
}

// Answered takes an answer in and returns the server's frames that are new, in order; also one to a poll that a newer
// one overtook may have some. freed: there is room again for frames of the agent. pause is how long to wait before the
// next poll, err the end of the session, which is for after the frames.
func (c *PollClient) Answered(p *Poll, a *Polled) (frames []json.RawMessage, freed bool, pause time.Duration, err error) {
	newest := c.ended(p)
	freed = c.out.sent(a.Ack) && c.out.acknowledge(a.Ack)
	for i, frame := range a.Frames {
		if a.Seq+int64(i) == c.got+1 { // after a gap the next poll says where the server should begin again
			c.got++
			frames = append(frames, frame)
		}
	}
	if newest && !freed && len(p.Frames) > 0 && a.Close == nil {
		pause, err = c.failed(errors.New("the server does not take what is sent"))
		return frames, freed, pause, err
	}
	c.failures = 0
	return frames, freed, 0, nil
}

// Failed takes note that a poll of that age came to nothing: pause is how long to wait before the next one, err the end
// of the session.
func (c *PollClient) Failed(p *Poll, age time.Duration, cause error) (pause time.Duration, err error) {
	if !c.ended(p) {
		return 0, nil
	}
	if len(p.Frames) == 0 && age > shortestPoll && age < c.wait {
		c.wait = max(shortestPoll, age*3/4)
	}
	return c.failed(cause)
}

// Again takes note that a poll was refused for a reason that the next one does not have.
func (c *PollClient) Again(p *Poll) { c.ended(p) }

// Newest reports whether no newer poll was sent.
func (c *PollClient) Newest(p *Poll) bool { return p.Number == c.number }

func (c *PollClient) failed(cause error) (pause time.Duration, err error) {
	if c.failures >= pollRetries {
		return 0, cause
	}
	pause = min(firstRetry<<c.failures, longestRetry)
	c.failures++
	return pause, nil
}

// PollServer is the server's half of a session of long polls: what a poll means and what its answer carries.
type PollServer struct {
	newest  int64 // number of the newest poll
	prodded int64 // polls up to this number are answered at once
	got     int64 // the last frame of the agent that was taken in
	out     window
	// Close, once set, ends the session with the next answer.
	Close *PollClose
}

// Begin makes a poll the newest and drops what it acknowledges. One that comes after a newer one is refused.
func (s *PollServer) Begin(p *Poll) error {
	if p.Number <= s.newest {
		return octopus.Errorf(octopus.CodeConflict, "A newer poll of this session came first.")
	}
	if !s.out.sent(p.Ack) {
		return octopus.Errorf(octopus.CodeMalformed, "The poll acknowledges a frame that was not sent.")
	}
	s.out.acknowledge(p.Ack)
	s.newest = p.Number
	return nil
}

// Newest is the number of the newest poll.
func (s *PollServer) Newest() int64 { return s.newest }

// Fresh says whether a frame of the agent is the next one; gap: others are missing before it. It counts once Taken was
// called.
func (s *PollServer) Fresh(number int64) (fresh, gap bool) {
	return number == s.got+1, number > s.got+1
}

// Taken says that the next frame was taken in.
func (s *PollServer) Taken() { s.got++ }

// Add takes a frame to be sent; false: most are under way, or their bytes.
func (s *PollServer) Add(frame []byte, most int) bool {
	if !s.out.room(frame, most) {
		return false
	}
	s.out.add(frame)
	return true
}

// Prod has the poll answered that waits now, so that the agent shows a sign of life.
func (s *PollServer) Prod() { s.prodded = s.newest }

// Due reports whether a poll is answered without waiting: there is something to say, or a newer one came.
func (s *PollServer) Due(p *Poll) bool {
	return p.Number != s.newest || p.Number <= s.prodded || len(p.Frames) > 0 || len(s.out.frames) > 0 || s.Close != nil
}

// Answer is what a poll carries back. One that is no longer the newest carries no frames.
func (s *PollServer) Answer(p *Poll) *Polled {
	a := &Polled{Ack: s.got}
	if p.Number == s.newest {
		a.Close = s.Close
		a.Seq, a.Frames = s.out.under()
	}
	return a
}
