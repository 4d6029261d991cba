package sdk

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
)

// maxLine bounds one JSON line of a stream: a log line of 64 KiB, escaped.
const maxLine = 1 << 20

// Logs returns the log lines stored so far, of the chunks after afterSeq; 0 is from the start.
func (c *Client) Logs(ctx context.Context, executionID string, afterSeq int64) (lines []LogLine, err error) {
	_, err = c.readLogs(ctx, executionID, afterSeq, false, func(l LogLine) error {
		lines = append(lines, l)
		return nil
	})
	return lines, err
}

// FollowLogs calls fn with each log line, as it is written, until the execution has ended; the last line has End
// and Status. A broken connection is taken up again where it was, without losing or repeating a line. An error
// of fn ends it and is returned.
func (c *Client) FollowLogs(ctx context.Context, executionID string, afterSeq int64, fn func(LogLine) error) error {
	at := position{seq: afterSeq}
	for failures := 0; ; {
		before := at
		ended, err := c.readLogs(ctx, executionID, at.resume(), true, at.skipping(fn))
		var refused *Error
		switch {
		case ended:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errStop):
			return errors.Unwrap(err)
		case errors.As(err, &refused):
			return err
		}
		if failures++; at != before {
			failures = 0
		}
		if failures > c.retries && err != nil {
			return err
		}
		if !sleep(ctx, firstPause<<min(failures, 5)) {
			return ctx.Err()
		}
	}
}

// position is how far a follower got: a chunk, and how many of its lines.
type position struct {
	seq   int64
	lines int
}

// resume is what to ask for after a break: the chunk that was under way comes again.
func (p position) resume() int64 {
	if p.lines > 0 {
		return p.seq - 1
	}
	return p.seq
}

// skipping passes lines on to fn, but not those of the present chunk that it has seen already.
func (p *position) skipping(fn func(LogLine) error) func(LogLine) error {
	seen, in := p.lines, p.seq
	return func(l LogLine) error {
		if l.Seq == in && seen > 0 && !l.End {
			seen--
			return nil
		}
		if l.Seq != p.seq {
			p.seq, p.lines = l.Seq, 0
		}
		p.lines++
		if err := fn(l); err != nil {
			return stop{err}
		}
		return nil
	}
}

// errStop marks an error of the caller's own function.
var errStop = errors.New("stopped by the caller")

type stop struct{ err error }

func (s stop) Error() string        { return s.err.Error() }
func (s stop) Unwrap() error        { return s.err }
func (s stop) Is(target error) bool { return target == errStop }

// readLogs reads one answer of JSON lines. ended: the line that says so came.
func (c *Client) readLogs(ctx context.Context, id string, afterSeq int64, follow bool, fn func(LogLine) error) (ended bool, err error) {
	q := url.Values{"after_seq": {strconv.FormatInt(max(afterSeq, 0), 10)}}
	if follow {
		q.Set("follow", "true")
	}
	body, err := c.stream(ctx, path("executions", id, "logs"), q, "application/jsonl")
	if err != nil {
		return false, err
	}
	defer body.Close()
	scanner := bufio.NewScanner(body)
	scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	for scanner.Scan() {
		if len(scanner.Bytes()) == 0 {
			continue // a sign of life
		}
		var line LogLine
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return false, fmt.Errorf("log line: %w", err)
		}
		if err := fn(line); err != nil {
			return false, err
		}
		if line.End {
			return true, nil
		}
	}
	return false, scanner.Err()
}

// stream opens an answer that goes on; the caller closes it.
func (c *Client) stream(ctx context.Context, path string, q url.Values, accept string, options ...CallOption) (io.ReadCloser, error) {
	r, err := newCall("GET", path, q, nil, options)
	if err != nil {
		return nil, err
	}
	r.header.Set("Accept", accept)
	res, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}
