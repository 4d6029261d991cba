package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// PathHeartbeat takes long polls, for agents behind proxies that break WebSockets; signed, POST. See [Poll].
const PathHeartbeat = "/api/v1/heartbeat"

// Bounds of long polls.
const (
	MaxPoll       = 1 << 20          // bytes of the body of a poll, or of its answer
	MaxPollFrames = 256              // frames in either
	PollWindow    = 256 << 10        // bytes of frames on their way in either direction; one frame may always travel
	MaxPollWait   = 25 * time.Second // proxies commonly cut off what is quiet for 30 s

	maxPollSession = 64
	maxPollText    = 300
)

// Poll is the body of POST [PathHeartbeat]: the same frames as on a WebSocket, numbered in both directions, so that
// a lost answer and a doubled request lose and double nothing. Frames of the agent start at 1 with each session.
// A poll without frames waits for the server to have some, at most WaitMS; one with frames is answered as soon as
// they were taken in. A newer poll of the session ends the wait of an older one, which is answered empty.
type Poll struct {
	// Session is random, chosen by the agent. A poll that begins at Seq 1 with Ack 0 opens it.
	Session string `json:"session"`
	// Number counts the polls of the session. One that comes after a newer one is refused with 409.
	Number int64 `json:"number"`
	// Ack is the last of the server's frames that was taken in.
	Ack int64 `json:"ack"`
	// Seq is the number of the first of Frames.
	Seq    int64             `json:"seq,omitempty"`
	Frames []json.RawMessage `json:"frames,omitempty"`
	WaitMS int64             `json:"wait_ms"`
	// Because says, on the first poll, why this is not a WebSocket.
	Because string `json:"because,omitempty"`
	// Bye ends the session, with the reason.
	Bye string `json:"bye,omitempty"`
}

// Polled answers a [Poll] with 200. Frames that were sent before and not acknowledged are sent again.
type Polled struct {
	// Ack is the last of the agent's frames that was taken in: it sends again what comes after.
	Ack    int64             `json:"ack"`
	Seq    int64             `json:"seq,omitempty"` // number of the first of Frames
	Frames []json.RawMessage `json:"frames,omitempty"`
	// Nonces are for the next signed requests.
	Nonces []string `json:"nonces,omitempty"`
	// Close ends the session: the code is one of the WebSocket's.
	Close *PollClose `json:"close,omitempty"`
}

// PollClose is how the server ends a session of long polls.
type PollClose struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
}

// Opens says that the poll may open a session.
func (p *Poll) Opens() bool { return p.Ack == 0 && p.Seq == 1 && len(p.Frames) > 0 }

// DecodePoll parses and bounds the body of a poll. Its frames are looked at by [Decode].
func DecodePoll(body []byte) (*Poll, error) {
	if len(body) > MaxPoll {
		return nil, fmt.Errorf("a poll of %d bytes is over the limit of %d", len(body), MaxPoll)
	}
	p := new(Poll)
	if err := json.Unmarshal(body, p); err != nil {
		return nil, fmt.Errorf("a poll is malformed")
	}
	switch {
	case !pollSession(p.Session):
		return nil, fmt.Errorf("the session of a poll is 8 to %d letters and digits", maxPollSession)
	case p.Number < 1 || p.Ack < 0 || p.Seq < 0 || p.WaitMS < 0 || p.Seq == 0 && len(p.Frames) > 0:
		return nil, fmt.Errorf("the numbers of a poll are out of range")
	case len(p.Because) > maxPollText || len(p.Bye) > maxPollText:
		return nil, fmt.Errorf("a reason in a poll is over the limit of %d bytes", maxPollText)
	}
	return p, boundFrames(p.Frames)
}

// DecodePolled parses and bounds the answer to a poll.
func DecodePolled(body []byte) (*Polled, error) {
	if len(body) > MaxPoll {
		return nil, fmt.Errorf("an answer of %d bytes is over the limit of %d", len(body), MaxPoll)
	}
	p := new(Polled)
	if err := json.Unmarshal(body, p); err != nil {
		return nil, fmt.Errorf("the answer to a poll is malformed")
	}
	if p.Ack < 0 || p.Seq < 0 || p.Seq == 0 && len(p.Frames) > 0 {
		return nil, fmt.Errorf("the numbers of the answer to a poll are out of range")
	}
	return p, boundFrames(p.Frames)
}

func boundFrames(frames []json.RawMessage) error {
	if len(frames) > MaxPollFrames {
		return fmt.Errorf("%d frames in one poll are over the limit of %d", len(frames), MaxPollFrames)
	}
	for _, f := range frames {
		if len(f) > MaxFrame {
			return fmt.Errorf("a frame of %d bytes is over the limit of %d", len(f), MaxFrame)
		}
	}
	return nil
}

func pollSession(s string) bool {
	for _, r := range []byte(s) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') {
			return false
		}
	}
	return len(s) >= 8 && len(s) <= maxPollSession
}

// EncodePoll returns the body of a poll or of its answer. Frames go as they are.
func EncodePoll[P Poll | Polled](p *P) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		return nil, fmt.Errorf("poll: %w", err)
	}
	return b.Bytes(), nil
}
