package sdk

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
)

// ServerEvent is one event of the server's stream. Name is "execution.updated", "run.updated", "agent.updated"
// or another, Data the JSON of what changed. "resync" means that events may have been missed: read again what
// you show.
type ServerEvent struct {
	ID   string
	Name string
	Data json.RawMessage
}

// Execution decodes the data of "execution.updated".
func (e ServerEvent) Execution() (x Execution, err error) {
	err = json.Unmarshal(e.Data, &x)
	return x, err
}

// Events calls fn with each event of the topics, such as "run:run_…", "executions" or "agents", until ctx ends
// or fn returns an error, which is returned. A broken connection is taken up again where it was; where the
// server cannot, the next event is "resync".
func (c *Client) Events(ctx context.Context, topics []string, fn func(ServerEvent) error) error {
	last, failures := "", 0
	for {
		got, err := c.readEvents(ctx, topics, &last, fn)
		var refused *Error
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, errStop):
			return errors.Unwrap(err)
		case errors.As(err, &refused):
			return err
		}
		if failures++; got {
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

// readEvents reads one connection; got: anything came.
func (c *Client) readEvents(ctx context.Context, topics []string, last *string, fn func(ServerEvent) error) (got bool, err error) {
	resume := func(r *call) {
		if *last != "" {
			r.header.Set("Last-Event-ID", *last)
		}
	}
	q := url.Values{"topics": {strings.Join(topics, ",")}}
	body, err := c.stream(ctx, "/events", q, "text/event-stream", resume)
	if err != nil {
		return false, err
	}
	defer body.Close()
	scanner := bufio.NewScanner(body)
	scanner.Buffer(make([]byte, 0, 64<<10), maxAnswer)
	event := ServerEvent{Name: "message"}
	for scanner.Scan() {
		field, value, _ := strings.Cut(scanner.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "id":
			event.ID = value
		case "event":
			event.Name = value
		case "data":
			event.Data = append(event.Data, value...)
		case "":
			if scanner.Text() != "" {
				continue // a comment: a sign of life
			}
			if event.Data == nil && event.ID == "" {
				continue
			}
			got = true
			if event.ID != "" {
				*last = event.ID
			}
			if event.Data != nil {
				if err := fn(event); err != nil {
					return got, stop{err}
				}
			}
			event = ServerEvent{Name: "message"}
		}
	}
	return got, scanner.Err()
}
