package wasmplugins

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"octopus/sdk/spec"
	"octopus/wasmplugins/internal/frame"
)

// throttle slows a guest that floods the host with calls: after the first
// thousands, each waits until the rate is met.
type throttle struct {
	n     int
	start time.Time
}

const (
	callBurst = 5000
	callRate  = 1000 // a second, beyond the burst
)

// wait returns how long to wait before the next call.
func (t *throttle) wait(now time.Time) time.Duration {
	if t.n == 0 {
		t.start = now
	}
	if t.n++; t.n <= callBurst {
		return 0
	}
	due := t.start.Add(time.Duration(t.n-callBurst) * time.Second / callRate)
	return due.Sub(now)
}

// call serves one host call. The broker may take as long as the guest lives.
func (e *execution) call(payload []byte) error {
	op, req, err := frame.ParseCall(payload)
	if err != nil {
		return err
	}
	ctx := e.callContext()
	if d := e.calls.wait(time.Now()); d > 0 && !pause(ctx, d) {
		return e.late(ctx)
	}
	if op == "cancelled" {
		if e.cancelled() {
			return e.answer([]byte(`{"cancelled":true}`), nil)
		}
		return e.answer([]byte(`{"cancelled":false}`), nil)
	}
	if op == "source" { // asked here by an engine that carries no script
		return e.source()
	}
	// The frame is reused; a broker may keep what it was asked.
	reply, failed := e.broker.Call(ctx, strings.ToValidUTF8(op, "?"), bytes.Clone(req))
	if ctx.Err() != nil {
		return e.late(ctx)
	}
	return e.answer(reply, failed)
}

// source answers what the job is to run. A job without a script has none.
func (e *execution) source() error {
	if len(e.job.Script) == 0 {
		return e.answer(nil, &OpError{Errno: ErrnoNotFound, Code: "not_found", Message: "This module holds no script."})
	}
	return e.answer(e.job.Script, nil)
}

// late ends a guest whose time was up during a call: an answer would let it
// go on until the timer, which rings at the same moment, is heard.
func (e *execution) late(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && e.ctx.Err() == nil {
		e.kill(spec.CodeTimeout)
	} else {
		e.kill(spec.CodeCancelled)
	}
	return ctx.Err()
}

// callContext ends with the job, and at its deadline.
func (e *execution) callContext() context.Context {
	if e.callCtx == nil {
		e.callCtx, e.callCancel = context.WithDeadline(e.ctx, e.out.Started.Add(e.job.Timeout))
	}
	return e.callCtx
}

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

// cancelled looks at the cooperative flag.
func (e *execution) cancelled() bool {
	select {
	case <-e.job.Cancelled:
		return true
	default:
		return false
	}
}

// answer sends a reply, or what went wrong: {"error": {"code", "message"}}.
func (e *execution) answer(reply []byte, failed error) error {
	errno := int32(0)
	if failed == nil && len(reply) > frame.MaxReply {
		failed = &OpError{Errno: ErrnoTooBig, Code: "too_large", Message: "The reply is too large for a host call."}
	}
	if failed != nil {
		var known *OpError
		if !errors.As(failed, &known) {
			known = &OpError{Errno: ErrnoIO, Code: "internal", Message: failed.Error()}
		}
		if errno = known.Errno; errno <= 0 {
			errno = ErrnoIO
		}
		reply = errorReply(known)
	}
	return e.c.w.Write(frame.Reply, frame.AppendReply(nil, errno), reply)
}

func errorReply(e *OpError) []byte {
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	body.Error.Code, body.Error.Message = e.Code, e.Message[:min(len(e.Message), 8<<10)]
	raw, err := json.Marshal(body)
	if err != nil {
		return []byte(`{"error":{"code":"internal","message":"unreadable"}}`)
	}
	return raw
}

// notes passes progress on, at most ten times a second; what comes between is
// replaced by what follows it.
type notes struct {
	last     time.Time
	waiting  bool
	fraction float64
	message  string
}

const progressEvery = 100 * time.Millisecond

// add takes {"progress" or "fraction", "message"}. What is not that is
// dropped: progress is a courtesy.
func (n *notes) add(raw []byte, to func(float64, string)) {
	var note struct {
		Progress *float64 `json:"progress"`
		Fraction *float64 `json:"fraction"`
		Message  string   `json:"message"`
	}
	if to == nil || json.Unmarshal(raw, &note) != nil {
		return
	}
	fraction := -1.0
	for _, f := range []*float64{note.Progress, note.Fraction} {
		if f != nil {
			fraction = min(max(*f, 0), 1)
		}
	}
	n.fraction, n.message, n.waiting = fraction, note.Message[:min(len(note.Message), 1024)], true
	if now := time.Now(); now.Sub(n.last) >= progressEvery {
		n.last = now
		n.flush(to)
	}
}

func (n *notes) flush(to func(float64, string)) {
	if n.waiting && to != nil {
		n.waiting = false
		to(n.fraction, strings.ToValidUTF8(n.message, "\uFFFD"))
	}
}
