package broker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"
	"time"

	"octopus/agent/redact"
)

// Caller does host calls, as [Broker] does.
type Caller interface {
	Call(ctx context.Context, op string, req []byte) ([]byte, error)
}

// RecordFormat is in the first line of a record.
const RecordFormat = "octopus.record/1"

// RecordHead is the first line of a record: what was run.
type RecordHead struct {
	Format string `json:"format"`
	Plugin string `json:"plugin,omitempty"`
	Digest string `json:"digest"`
	Action string `json:"action"`
	DryRun bool   `json:"dry_run,omitempty"`
	// Clock is where the run's clock stood, and Seed what its random numbers
	// came from. Zero and nil: the real ones.
	Clock time.Time `json:"clock,omitzero"`
	Seed  *uint64   `json:"seed,omitempty"`
}

// recordedCall is each further line.
type recordedCall struct {
	Op      string          `json:"op"`
	Request json.RawMessage `json:"request"`
	Reply   json.RawMessage `json:"reply,omitempty"`
	Error   string          `json:"error,omitempty"` // where there was no reply
}

// Recorder does the calls of a run and writes them down, a line of JSON each, without the values of secrets.
type Recorder struct {
	to     Caller
	out    io.Writer
	hidden *redact.Redactor

	mu  sync.Mutex
	err error // guarded by mu: the first that out returned
}

// NewRecorder writes the head of a record. What hidden knows when a call has ended is not in its line.
func NewRecorder(to Caller, out io.Writer, head RecordHead, hidden *redact.Redactor) *Recorder {
	head.Format = RecordFormat
	r := &Recorder{to: to, out: out, hidden: hidden}
	r.line(head)
	return r
}

// Err is the first error of writing, nil where the whole record was written.
func (r *Recorder) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *Recorder) line(v any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	raw, err := json.Marshal(v)
	if err == nil {
		_, err = r.out.Write(append(raw, '\n'))
	}
	if r.err == nil {
		r.err = err
	}
}

// Call does one call.
func (r *Recorder) Call(ctx context.Context, op string, req []byte) ([]byte, error) {
	asked := bytes.Clone(req)
	reply, err := r.to.Call(ctx, op, req)
	c := recordedCall{Op: op, Request: r.hidden.JSON(orEmpty(asked)), Reply: r.hidden.JSON(reply)}
	if op == "secret.get" {
		c.Reply = withoutValue(asked, reply)
	}
	if err != nil {
		c.Reply, c.Error = nil, err.Error()
	}
	r.line(c)
	return reply, err
}

// orEmpty is a request as JSON; what is none is kept as a string.
func orEmpty(req []byte) json.RawMessage {
	if len(req) == 0 {
		return json.RawMessage("{}")
	}
	if json.Valid(req) {
		return req
	}
	raw, err := json.Marshal(string(req))
	if err != nil {
		return json.RawMessage("null")
	}
	return raw
}

// withoutValue is the reply of secret.get with the secret's name in place of its value, however short that is.
func withoutValue(req, reply []byte) json.RawMessage {
	var asked struct{ Name string }
	var got struct {
		Value *string `json:"value,omitempty"`
		Error *Error  `json:"error,omitempty"`
	}
	if json.Unmarshal(req, &asked) != nil || json.Unmarshal(reply, &got) != nil {
		return json.RawMessage("{}")
	}
	if got.Value != nil {
		got.Value = new("[secret " + asked.Name + "]")
	}
	raw, err := json.Marshal(got)
	if err != nil {
		return json.RawMessage("{}")
	}
	return raw
}

// Replay answers the calls of a run from a record, in their order. A call that differs from the record ends it: that
// one and all that follow are refused.
type Replay struct {
	head  RecordHead
	calls []recordedCall

	mu   sync.Mutex
	tell func(Record) // guarded by mu; nil: nobody
	next int          // guarded by mu
	off  *Error       // guarded by mu: where the run left the record
}

// maxRecordLine is the longest line of a record, in bytes: the largest request and reply, escaped.
const maxRecordLine = 64 << 20

// ReadRecord reads a record. Errors are for people and name the line.
func ReadRecord(from io.Reader) (*Replay, error) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, maxRecordLine)
	r := &Replay{}
	for n := 1; lines.Scan(); n++ {
		if n == 1 {
			if err := json.Unmarshal(lines.Bytes(), &r.head); err != nil || r.head.Format != RecordFormat {
				return nil, fmt.Errorf("line 1 is not the head of a record (%s)", RecordFormat)
			}
			continue
		}
		var c recordedCall
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil || c.Op == "" || c.Reply == nil && c.Error == "" {
			return nil, fmt.Errorf("line %d is not a call", n)
		}
		r.calls = append(r.calls, c)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read record: %w", err)
	}
	if r.head.Format == "" {
		return nil, errors.New("the record is empty")
	}
	return r, nil
}

// Head says what was recorded.
func (r *Replay) Head() RecordHead { return r.head }

// OnCall has f told of each call from now on.
func (r *Replay) OnCall(f func(Record)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell = f
}

// Call answers one call.
func (r *Replay) Call(_ context.Context, op string, req []byte) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	reply, err := r.answer(op, req)
	if r.tell != nil {
		c := Record{Op: op, Target: targetOf(req), Request: orEmpty(req)}
		var failed struct{ Error *Error }
		if err != nil {
			c.Error = err.Error()
		} else if json.Unmarshal(reply, &failed) == nil && failed.Error != nil {
			c.Error = failed.Error.Code
		}
		r.tell(c)
	}
	return reply, err
}

// answer is the recorded reply. r.mu is held.
func (r *Replay) answer(op string, req []byte) ([]byte, error) {
	if r.off == nil {
		r.off = r.differs(op, orEmpty(req))
	}
	if r.off != nil {
		return encode(nil, r.off), nil
	}
	c := r.calls[r.next]
	r.next++
	if c.Error != "" {
		return nil, errors.New(c.Error)
	}
	return c.Reply, nil
}

// differs compares a call with the next one of the record.
func (r *Replay) differs(op string, req json.RawMessage) *Error {
	if r.next == len(r.calls) {
		return errorf("replay", "The record ends after %d calls; the plugin now also calls %s with %s.", r.next, op, brief(req))
	}
	want := r.calls[r.next]
	if op == want.Op && same(req, want.Request) {
		return nil
	}
	return errorf("replay", "Call %d differs from the record: expected %s with %s, but it is %s with %s.",
		r.next+1, want.Op, brief(want.Request), op, brief(req))
}

func same(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

func brief(raw json.RawMessage) string {
	const most = 500
	if len(raw) > most {
		return string(bytes.ToValidUTF8(raw[:most], nil)) + "…"
	}
	return string(raw)
}

// Err says where the run left its record, nil where it made the recorded calls and no others.
func (r *Replay) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.off != nil:
		return r.off
	case r.next < len(r.calls):
		return errorf("replay", "The plugin made %d of the %d recorded calls; the next was %s with %s.",
			r.next, len(r.calls), r.calls[r.next].Op, brief(r.calls[r.next].Request))
	}
	return nil
}
