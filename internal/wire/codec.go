package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Message is one of the structs of this package that travel as a frame.
type Message interface{ kind() string }

// ErrUnknownType is returned for a frame whose type this version does not know; it is skipped, not refused.
var ErrUnknownType = errors.New("unknown message type")

func (*Hello) kind() string        { return "hello" }
func (*Heartbeat) kind() string    { return "heartbeat" }
func (*Accept) kind() string       { return "accept" }
func (*Reject) kind() string       { return "reject" }
func (*Prepared) kind() string     { return "prepared" }
func (*Progress) kind() string     { return "progress" }
func (*Result) kind() string       { return "result" }
func (*Log) kind() string          { return "log" }
func (*CancelAck) kind() string    { return "cancel_ack" }
func (*Call) kind() string         { return "call" }
func (*Draining) kind() string     { return "draining" }
func (*Welcome) kind() string      { return "welcome" }
func (*HelloAnswer) kind() string  { return "hello_answer" }
func (*HeartbeatAck) kind() string { return "heartbeat_ack" }
func (*Offer) kind() string        { return "offer" }
func (*Go) kind() string           { return "go" }
func (*Withdrawn) kind() string    { return "withdrawn" }
func (*Cancel) kind() string       { return "cancel" }
func (*ResultAck) kind() string    { return "result_ack" }
func (*LogAck) kind() string       { return "log_ack" }
func (*Reply) kind() string        { return "reply" }
func (*Prefetch) kind() string     { return "prefetch" }
func (*Broadcast) kind() string    { return "broadcast" }
func (*Drain) kind() string        { return "drain" }
func (*Restart) kind() string      { return "restart" }
func (*Settings) kind() string     { return "settings" }

// fresh returns an empty message for a type name, nil when it is unknown.
func fresh(kind string) Message {
	switch kind {
	case "hello":
		return new(Hello)
	case "heartbeat":
		return new(Heartbeat)
	case "accept":
		return new(Accept)
	case "reject":
		return new(Reject)
	case "prepared":
		return new(Prepared)
	case "progress":
		return new(Progress)
	case "result":
		return new(Result)
	case "log":
		return new(Log)
	case "cancel_ack":
		return new(CancelAck)
	case "call":
		return new(Call)
	case "draining":
		return new(Draining)
	case "welcome":
		return new(Welcome)
	case "hello_answer":
		return new(HelloAnswer)
	case "heartbeat_ack":
		return new(HeartbeatAck)
	case "offer":
		return new(Offer)
	case "go":
		return new(Go)
	case "withdrawn":
		return new(Withdrawn)
	case "cancel":
		return new(Cancel)
	case "result_ack":
		return new(ResultAck)
	case "log_ack":
		return new(LogAck)
	case "reply":
		return new(Reply)
	case "prefetch":
		return new(Prefetch)
	case "broadcast":
		return new(Broadcast)
	case "drain":
		return new(Drain)
	case "restart":
		return new(Restart)
	case "settings":
		return new(Settings)
	}
	return nil
}

// Encode returns m as one frame. The type comes first, so that a reader can know it without parsing the rest. A
// message above the cap of its type is refused: the peer would end the connection.
func Encode(m Message) ([]byte, error) {
	body, err := Raw(m)
	if err != nil {
		return nil, fmt.Errorf("%s message: %w", m.kind(), err)
	}
	if size, limit := len(body)+len(m.kind())+len(`"t":"",`), capOf(m.kind()); size > limit {
		return nil, fmt.Errorf("a %s message of %d bytes is over the limit of %d", m.kind(), size, limit)
	}
	frame := make([]byte, 0, len(body)+len(m.kind())+8)
	frame = append(frame, `{"t":"`...)
	frame = append(frame, m.kind()...)
	frame = append(frame, '"')
	if len(body) > len("{}") {
		frame = append(frame, ',')
	}
	return append(frame, body[1:]...), nil
}

// Raw is JSON that is as long as what it was made from: for a page of HTML the characters < > & are written as six
// bytes each, and parameters or values full of them would not fit into a frame.
func Raw(v any) (json.RawMessage, error) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}

// prefix is how every frame of ours begins.
var prefix = []byte(`{"t":"`)

// Kind returns the type of a frame, by its first bytes where it begins as ours do, else by parsing it.
func Kind(frame []byte) (string, error) {
	if rest, ok := bytes.CutPrefix(frame, prefix); ok {
		if end := bytes.IndexByte(rest, '"'); end >= 0 && bytes.IndexByte(rest[:end], '\\') < 0 {
			return string(rest[:end]), nil
		}
	}
	var head struct {
		T string `json:"t"`
	}
	if err := json.Unmarshal(frame, &head); err != nil {
		return "", errors.New("a frame is not a JSON object with a type")
	}
	return head.T, nil
}

// Decode parses one frame. It refuses a frame above the cap of its type before parsing it, and returns
// [ErrUnknownType] for types that this version does not know.
func Decode(frame []byte) (Message, error) {
	if len(frame) > MaxFrame {
		return nil, fmt.Errorf("a frame of %d bytes is over the limit of %d", len(frame), MaxFrame)
	}
	kind, err := Kind(frame)
	if err != nil {
		return nil, err
	}
	if limit := capOf(kind); len(frame) > limit {
		return nil, fmt.Errorf("a %s frame of %d bytes is over the limit of %d", kind, len(frame), limit)
	}
	m := fresh(kind)
	if m == nil {
		return nil, ErrUnknownType
	}
	if err := json.Unmarshal(frame, m); err != nil {
		return nil, fmt.Errorf("a %s frame is malformed", kind)
	}
	return m, nil
}

func capOf(kind string) int {
	switch kind {
	case "heartbeat", "heartbeat_ack":
		return MaxHeartbeat
	case "log":
		return MaxLog
	case "call", "reply":
		return MaxFrame
	}
	return MaxMessage
}
