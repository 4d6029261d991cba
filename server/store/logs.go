package store

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/server/bus"
)

// A chunk's body begins with how it is packed.
const (
	packedPlain   = 0
	packedDeflate = 1
	deflateAbove  = 1024     // bytes; below, packing costs more than it saves
	maxUnpacked   = 16 << 20 // bytes that a body may unpack to
)

var errBadChunk = errors.New("a stored log chunk is damaged")

// AppendLogs stores chunks, each once however often it comes, and returns the highest sequence stored of each
// execution. Chunks of executions that were purged are acknowledged and dropped.
func (s *Store) AppendLogs(ctx context.Context, chunks []octopus.LogChunk) (acked map[string]int64, err error) {
	bodies := make([][]byte, len(chunks))
	for i := range chunks {
		bodies[i] = packLines(chunks[i].Lines)
	}
	err = s.write(ctx, func(t *tx) error {
		acked = make(map[string]int64)
		for i := range chunks {
			if err := t.appendLog(&chunks[i], bodies[i]); err != nil {
				return s.fail("log", err)
			}
			acked[chunks[i].ExecutionID] = max(acked[chunks[i].ExecutionID], chunks[i].Seq)
		}
		if s.bus != nil {
			for id, seq := range acked {
				t.hints = append(t.hints, bus.Hint{Topic: "logs:" + id, ID: id, Seq: seq})
				t.hint("executions", id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return acked, nil
}

func (t *tx) appendLog(c *octopus.LogChunk, body []byte) error {
	var newest, at int64
	err := t.row(context.Background(), "SELECT log_seq, log_at FROM executions WHERE id = ?", c.ExecutionID).Scan(&newest, &at)
	if isNoRow(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.Seq > newest && len(c.Lines) > 0 {
		body, at = inOrder(c.Lines, body, at)
	}
	_, err = t.exec("INSERT INTO log_chunks (execution_id, seq, attempt, stream, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		c.ExecutionID, c.Seq, int64(c.Attempt), c.Stream, body)
	if err != nil || c.Seq <= newest || len(c.Lines) == 0 {
		return err
	}
	t.writer.cache.forget(c.ExecutionID)
	_, err = t.exec("UPDATE executions SET last_log = ?, log_seq = ?, log_at = ? WHERE id = ? AND log_seq < ?",
		shorten(c.Lines[len(c.Lines)-1].Text, maxLastLog), c.Seq, at, c.ExecutionID, c.Seq)
	return err
}

// inOrder packs lines anew where the first is earlier than the newest line of the chunks before, and returns the time
// of the last. The age of a line is told when its chunk is sent, and one chunk may travel longer than the next.
func inOrder(lines []octopus.LogLine, body []byte, newest int64) (packed []byte, last int64) {
	last = micros(lines[len(lines)-1].At)
	if micros(lines[0].At) >= newest {
		return body, last
	}
	lines = slices.Clone(lines)
	for i := range lines {
		if at := fromMicros(newest); lines[i].At.Before(at) {
			lines[i].At = at
		}
	}
	return packLines(lines), max(last, newest)
}

const chunkColumns = "execution_id, seq, attempt, stream, body"

func scanChunk(row scanner) (octopus.LogChunk, error) {
	var c octopus.LogChunk
	var body []byte
	if err := row.Scan(&c.ExecutionID, &c.Seq, &c.Attempt, &c.Stream, &body); err != nil {
		return c, err
	}
	lines, err := unpackLines(body)
	c.Lines = lines
	return c, err
}

// Logs returns up to limit chunks after a sequence, in order.
func (s *Store) Logs(ctx context.Context, executionID string, afterSeq int64, limit int) ([]octopus.LogChunk, error) {
	chunks, err := list(ctx, s.reads, scanChunk, "SELECT "+chunkColumns+" FROM log_chunks WHERE execution_id = ? AND seq > ? ORDER BY seq LIMIT ?",
		executionID, afterSeq, bounded(limit))
	return chunks, s.fail("log", err)
}

// LogTail returns the last chunks, in order.
func (s *Store) LogTail(ctx context.Context, executionID string, chunks int) ([]octopus.LogChunk, error) {
	tail, err := list(ctx, s.reads, scanChunk, "SELECT "+chunkColumns+" FROM log_chunks WHERE execution_id = ? ORDER BY seq DESC LIMIT ?",
		executionID, bounded(chunks))
	slices.Reverse(tail)
	return tail, s.fail("log", err)
}

// packLines stores lines as (microseconds since the line before, length, text), deflated where that pays.
func packLines(lines []octopus.LogLine) []byte {
	body := []byte{packedPlain}
	var last int64
	for _, line := range lines {
		at := micros(line.At)
		body = binary.AppendVarint(body, at-last)
		body = binary.AppendUvarint(body, uint64(len(line.Text)))
		body = append(body, line.Text...)
		last = at
	}
	if len(body) <= deflateAbove {
		return body
	}
	var packed bytes.Buffer
	packed.WriteByte(packedDeflate)
	w, err := flate.NewWriter(&packed, flate.BestSpeed)
	if err != nil {
		return body
	}
	_, _ = w.Write(body[1:]) // a buffer never fails
	w.Close()
	return packed.Bytes()
}

func unpackLines(body []byte) ([]octopus.LogLine, error) {
	if len(body) == 0 {
		return nil, errBadChunk
	}
	kind, body := body[0], body[1:]
	if kind == packedDeflate {
		var err error
		if body, err = io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(body)), maxUnpacked)); err != nil {
			return nil, errBadChunk
		}
	}
	var lines []octopus.LogLine
	var at int64
	for len(body) > 0 {
		delta, n := binary.Varint(body)
		if n <= 0 {
			return nil, errBadChunk
		}
		body = body[n:]
		length, n := binary.Uvarint(body)
		if n <= 0 || length > uint64(len(body)-n) {
			return nil, errBadChunk
		}
		body = body[n:]
		at += delta
		lines = append(lines, octopus.LogLine{At: fromMicros(at), Text: string(body[:length])})
		body = body[length:]
	}
	return lines, nil
}

// SaveBlob keeps a large result, by the SHA-256 of its bytes, until the result that names it is committed.
func (s *Store) SaveBlob(ctx context.Context, sha string, data []byte) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("INSERT INTO blobs (sha, data, created_at) VALUES (?, ?, ?) ON CONFLICT (sha) DO UPDATE SET created_at = excluded.created_at",
			sha, notNil(data), micros(t.now))
		return s.fail("blob", err)
	})
}

// Blob returns what SaveBlob kept.
func (s *Store) Blob(ctx context.Context, sha string) ([]byte, error) {
	data, err := one[[]byte](s.reads.row(ctx, "SELECT data FROM blobs WHERE sha = ?", sha))
	if err != nil {
		return nil, s.notFound(err, "blob", sha)
	}
	return data, nil
}

// blobLife is how long a blob waits for the result that names it.
const blobLife = 7 * 24 * time.Hour
