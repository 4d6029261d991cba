package spool

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"octopus/internal/disk"
	"octopus/internal/wire"
)

// Log is the log of one attempt. Its fields are guarded by the spool's mutex.
type Log struct {
	spool     *Spool
	execution string
	attempt   int
	fence     int64

	seq    int64 // of the newest chunk
	file   disk.File
	stored bool // there may be a file; most executions log nothing and have none
	size   int64
	chunks []chunk // not acknowledged, in order
	sent   int     // how many of them were sent in this session

	pending []Line
	text    int // bytes of pending
	frame   int // what they take in a frame
	missing int // lines that found no room
	timer   *time.Timer
	closed  bool
	total   int64 // bytes of text ever written
}

// chunk is where a chunk lies in the file.
type chunk struct{ seq, at, n int64 }

// Write adds lines. The first line of a log is sent at once, later ones within 100 ms.
func (l *Log) Write(lines []Line) {
	s := l.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.closed {
		return
	}
	for _, line := range lines {
		for _, text := range cut(line.Text) {
			l.add(Line{line.At, text})
		}
	}
	switch {
	case len(l.pending) == 0:
	case l.seq%seqPerAttempt == 0:
		l.flush()
	case l.timer == nil:
		l.timer = time.AfterFunc(flushAfter, l.flushLate)
	}
}

func (l *Log) add(line Line) {
	frame := escaped(line.Text) + 40
	if len(l.pending) > 0 && (l.text+len(line.Text) > chunkText || l.frame+frame > chunkFrame) {
		l.flush()
	}
	l.pending = append(l.pending, line)
	l.text += len(line.Text)
	l.frame += frame
	l.total += int64(len(line.Text)) + 1
}

func (l *Log) flushLate() {
	l.spool.mu.Lock()
	defer l.spool.mu.Unlock()
	l.timer = nil
	if !l.closed {
		l.flush()
	}
}

// flush makes a chunk of what is pending, writes it, and sends what it can.
func (l *Log) flush() {
	if len(l.pending) == 0 {
		return
	}
	if l.missing > 0 {
		note := fmt.Sprintf("(%d lines are missing here: the agent's log spool was full.)", l.missing)
		l.pending = slices.Insert(l.pending, 0, Line{l.pending[0].At, note})
	}
	c := stored{Seq: l.seq + 1, Attempt: l.attempt}
	for _, line := range l.pending {
		c.Lines = append(c.Lines, storedLine{line.At.UnixMilli(), line.Text})
	}
	if err := l.store(c); err != nil {
		l.missing += len(l.pending)
	} else {
		l.missing = 0
	}
	l.pending, l.text, l.frame = l.pending[:0], 0, 0
	l.spool.pump()
}

// store appends a chunk to the file.
func (l *Log) store(c stored) error {
	raw, err := encode(c)
	if err != nil {
		return err
	}
	if !l.spool.room(int64(len(raw))) {
		return os.ErrExist // any error: the lines are counted as missing
	}
	if l.file == nil {
		l.stored = true
		if l.file, err = l.spool.folder.OpenFile(l.name(), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return err
		}
	}
	if _, err := l.file.WriteAt(raw, l.size); err != nil {
		_ = l.file.Truncate(l.size) // what is torn is cut at the next start
		return err
	}
	l.seq = c.Seq
	l.chunks = append(l.chunks, chunk{c.Seq, l.size, int64(len(raw))})
	l.size += int64(len(raw))
	l.spool.bytes += int64(len(raw))
	return nil
}

// Close flushes and ends the log. It returns the number of its last chunk, 0 where it has none, and the bytes of
// text that were written.
func (l *Log) Close() (lastSeq, written int64) {
	s := l.spool
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
		l.timer = nil
	}
	if !l.closed {
		l.flush()
		l.closed = true
		l.tidy()
	}
	if l.seq%seqPerAttempt == 0 {
		return 0, l.total
	}
	return l.seq, l.total
}

// acked drops chunks up to seq.
func (l *Log) acked(seq int64) {
	for len(l.chunks) > 0 && l.chunks[0].seq <= seq {
		l.drop(0)
	}
	l.tidy()
}

// drop forgets chunk i.
func (l *Log) drop(i int) {
	if i < l.sent {
		l.sent--
		l.spool.inFlight = max(0, l.spool.inFlight-l.chunks[i].n)
	}
	l.chunks = slices.Delete(l.chunks, i, i+1)
}

// tidy gives the disk back where nothing waits any more.
func (l *Log) tidy() {
	if len(l.chunks) > 0 {
		return
	}
	if l.closed {
		l.spool.remove(l)
		return
	}
	if l.file != nil && l.size > 1<<20 && l.file.Truncate(0) == nil {
		l.spool.bytes -= l.size
		l.size = 0
	}
}

func (l *Log) read(c *chunk) ([]storedLine, error) {
	if l.file == nil {
		file, err := l.spool.folder.OpenFile(l.name(), os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		l.file = file
	}
	raw := make([]byte, c.n)
	if _, err := l.file.ReadAt(raw, c.at); err != nil {
		return nil, err
	}
	v, err := decode(raw)
	return v.Lines, err
}

// message is a chunk as it travels. Ages count from now, so that they are right however late it is sent.
func (l *Log) message(c *chunk, lines []storedLine) *wire.Log {
	m := &wire.Log{Execution: l.execution, Attempt: l.attempt, Fence: l.fence, Seq: c.seq, Stream: "stderr"}
	now := l.spool.now().UnixMilli()
	for _, line := range lines {
		m.Lines = append(m.Lines, wire.LogLine{AgoMS: max(0, now-line.At), Text: line.Text})
	}
	return m
}

func (l *Log) name() string { return l.execution + "." + strconv.FormatInt(l.fence, 10) + ".log" }

func (l *Log) closeFile() {
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
}

// load finds the logs of an earlier process. Their executions have ended: the process that ran them is gone.
func (s *Spool) load() error {
	list, err := s.folder.ReadDir(".")
	if err != nil {
		return err
	}
	for _, entry := range list {
		execution, fence, ok := parseName(entry.Name())
		if !ok {
			continue
		}
		info, err := entry.Info()
		if err != nil || s.now().Sub(info.ModTime()) > maxAge {
			_ = s.folder.Remove(entry.Name())
			continue
		}
		l := &Log{spool: s, execution: execution, fence: fence, closed: true, stored: true}
		if err := l.index(); err != nil || len(l.chunks) == 0 {
			_ = s.folder.Remove(entry.Name())
			continue
		}
		s.bytes += l.size
		s.logs = append(s.logs, l)
	}
	return nil
}

// index reads where the chunks of a file lie, up to the first that is torn.
func (l *Log) index() error {
	file, err := l.spool.folder.OpenFile(l.name(), os.O_RDONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	r := bufio.NewReader(io.LimitReader(file, l.spool.max))
	for {
		raw, err := r.ReadBytes('\n')
		if err != nil {
			return nil
		}
		v, err := decode(raw)
		if err != nil || v.Seq <= l.seq {
			return nil
		}
		l.seq, l.attempt = v.Seq, v.Attempt
		l.chunks = append(l.chunks, chunk{v.Seq, l.size, int64(len(raw))})
		l.size += int64(len(raw))
	}
}

func parseName(name string) (execution string, fence int64, ok bool) {
	rest, ok := strings.CutSuffix(name, ".log")
	if !ok {
		return "", 0, false
	}
	execution, number, ok := strings.Cut(rest, ".")
	fence, err := strconv.ParseInt(number, 10, 64)
	return execution, fence, ok && err == nil
}

// escaped is how many bytes a text takes in JSON, at most.
func escaped(text string) int {
	n := len(text)
	for i := range len(text) {
		switch c := text[i]; {
		case c < 0x20, c == '<', c == '>', c == '&':
			n += 5
		case c == '"', c == '\\':
			n++
		case c >= 0x80:
			n += 2 // a byte that is not UTF-8 becomes U+FFFD, three bytes; U+2028 becomes six
		}
	}
	return n
}
