package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"octopus/internal/octopus"
	"octopus/sdk"
)

// logBatch is how many chunks are read at once: at most 64 KiB each.
const logBatch = 64

// signOfLife is how often a quiet stream sends an empty line, so that proxies keep it and dead peers are noticed.
const signOfLife = 15 * time.Second

// maxStream ends a stream so that its client comes back and says again who it is: a token may be revoked
// meanwhile. Clients resume where they were.
const maxStream = 30 * time.Minute

// poll is how often a follower looks without a hint: hints may be lost.
const poll = 2 * time.Second

type readLogsInput struct {
	ExecutionID
	AfterSeq int64  `query:"after_seq" minimum:"0" doc:"Only the chunks after this one."`
	Follow   bool   `query:"follow" doc:"Go on until the execution has ended; the last line has end and status."`
	Accept   string `header:"Accept" maxLength:"255" doc:"application/x-ndjson, text/event-stream or text/plain. Defaults to JSON lines."`
	Last     string `header:"Last-Event-ID" maxLength:"64" doc:"The last chunk that a stream brought: it goes on behind that."`
}

// readLogs streams the log as JSON lines (default), server-sent events or text, by Accept.
func (a *API) readLogs(ctx context.Context, in *readLogsInput) (*huma.StreamResponse, error) {
	x, err := a.store.Execution(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	after := in.AfterSeq
	if in.Last != "" {
		_, _ = fmt.Sscan(in.Last, &after) // an id of ours is the number of a chunk; anything else starts anew
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humachi.Unwrap(hctx)
		out := newLogWriter(w, in.Accept)
		defer calm(w)
		if err := a.sendLogs(hctx.Context(), out, x.ID, max(after, 0), in.Follow); err != nil && hctx.Context().Err() == nil {
			a.log.Warn("log stream ended", "execution", x.ID, "request", requestIDOf(hctx.Context()), "error", err)
		}
	}}, nil
}

// sendLogs writes what is stored and, with follow, what comes until the execution has ended.
func (a *API) sendLogs(ctx context.Context, out *logWriter, id string, after int64, follow bool) error {
	sub := a.bus.Subscribe(16, "logs:"+id, "execution:"+id)
	defer sub.Close()
	quiet := time.NewTicker(poll)
	defer quiet.Stop()
	over := time.NewTimer(maxStream)
	defer over.Stop()
	for alive := time.Now(); ; {
		x, err := a.store.Execution(ctx, id)
		if err != nil {
			return err
		}
		before := after
		if after, err = a.sendChunks(ctx, out, id, after); err != nil {
			return err
		}
		if !follow {
			return out.flush()
		}
		// The status was read before the log: nothing can follow a log that was read after the end, but a last
		// chunk that was on its way when the execution was closed by force.
		if x.Status.Terminal() {
			return out.end(string(x.Status))
		}
		if after != before {
			alive = time.Now()
		} else if time.Since(alive) > signOfLife {
			out.alive()
			alive = time.Now()
		}
		if err := out.flush(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.stopping.Done():
			return nil
		case <-over.C:
			return nil
		case <-sub.C():
		case <-quiet.C:
		}
	}
}

// sendChunks writes every stored chunk after a sequence number and returns the last one's.
func (a *API) sendChunks(ctx context.Context, out *logWriter, id string, after int64) (int64, error) {
	for {
		chunks, err := a.store.Logs(ctx, id, after, logBatch)
		if err != nil {
			return after, err
		}
		for _, c := range chunks {
			if err := out.chunk(c); err != nil {
				return after, err
			}
			after = c.Seq
		}
		if len(chunks) < logBatch {
			return after, nil
		}
	}
}

// logWriter writes log lines in one of three formats.
type logWriter struct {
	w    io.Writer
	rc   *http.ResponseController
	kind string // "json", "sse" or "text"
}

func newLogWriter(w http.ResponseWriter, accept string) *logWriter {
	out := &logWriter{w: patient(w), rc: http.NewResponseController(w), kind: "json"}
	contentType := "application/jsonl; charset=utf-8"
	switch {
	case strings.Contains(accept, "text/event-stream"):
		out.kind, contentType = "sse", "text/event-stream"
	case strings.Contains(accept, "text/plain"):
		out.kind, contentType = "text", "text/plain; charset=utf-8"
	case strings.Contains(accept, "application/x-ndjson"):
		contentType = "application/x-ndjson; charset=utf-8"
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Accel-Buffering", "no") // nginx: hand over what comes
	w.WriteHeader(http.StatusOK)
	return out
}

func (o *logWriter) chunk(c octopus.LogChunk) error {
	for i, l := range c.Lines {
		if o.kind == "text" {
			if _, err := io.WriteString(o.w, plainLine(l)); err != nil {
				return err
			}
			continue
		}
		id := ""
		if i == len(c.Lines)-1 {
			id = fmt.Sprint(c.Seq) // only a whole chunk can be resumed after
		}
		if err := o.line(id, "log", sdk.LogLine{Seq: c.Seq, Time: utc(l.At), Stream: c.Stream, Text: l.Text}); err != nil {
			return err
		}
	}
	return nil
}

// plainLine is a line of a text file. Control characters would let a plugin paint over a terminal.
func plainLine(l octopus.LogLine) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return '�'
		}
		return r
	}, l.Text)
	return l.At.UTC().Format("2006-01-02T15:04:05.000Z") + " " + text + "\n"
}

func (o *logWriter) line(id, event string, l sdk.LogLine) error {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if o.kind != "sse" {
		_, err = o.w.Write(append(data, '\n'))
		return err
	}
	if id != "" {
		id = "id: " + id + "\n"
	}
	_, err = fmt.Fprintf(o.w, "%sevent: %s\ndata: %s\n\n", id, event, data)
	return err
}

// end says how the execution ended.
func (o *logWriter) end(status string) error {
	if o.kind != "text" {
		if err := o.line("", "end", sdk.LogLine{End: true, Status: status}); err != nil {
			return err
		}
	}
	return o.flush()
}

// alive writes what a reader skips.
func (o *logWriter) alive() {
	switch o.kind {
	case "sse":
		_, _ = io.WriteString(o.w, ":\n\n")
	case "json":
		_, _ = io.WriteString(o.w, "\n")
	}
}

func (o *logWriter) flush() error { return o.rc.Flush() }
