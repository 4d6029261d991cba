// Package spool keeps executions' log lines until the server has stored them, across lost connections and crashes
// of the agent. Lines become chunks, chunks are numbered, sent in order, and dropped when acknowledged.
//
// It is bounded. When it is full it first drops what executions that have ended left behind, the oldest first,
// then new chunks; a line in the log says how many lines are missing. A full spool makes the agent take no offers.
package spool

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"octopus/internal/disk"
	"octopus/internal/wire"
)

// Bounds.
const (
	DefaultMax  = 64 << 20  // bytes on disk
	window      = 256 << 10 // bytes sent and not yet acknowledged, over all executions
	chunkText   = 48 << 10  // a chunk is closed at this much text
	chunkFrame  = 88 << 10  // … or when its frame would come near wire.MaxLog
	longestLine = 8 << 10   // longer lines are cut into pieces
	flushAfter  = 100 * time.Millisecond
	maxAge      = 7 * 24 * time.Hour // what nobody acknowledged for so long is dropped at the next start
)

// seqPerAttempt keeps the numbers of attempts apart: they count over the whole execution, and an agent does not
// know how far an earlier attempt on another agent came.
const seqPerAttempt = 1_000_000

// Line is one line of a log.
type Line struct {
	At   time.Time
	Text string
}

// Sender queues a message for the server. False means that it was not taken: the socket is gone or busy.
type Sender func(*wire.Log) bool

// Spool keeps the logs of one agent. Its methods may be called from any goroutine.
type Spool struct {
	folder disk.Folder      // static
	max    int64            // static
	now    func() time.Time // static

	mu       sync.Mutex // guards what follows
	logs     []*Log     // the oldest first
	bytes    int64      // on disk
	inFlight int64
	send     Sender // nil: not connected
}

// Open reads what an earlier process left in a folder. A max of 0 is DefaultMax.
func Open(folder disk.Folder, max int64, now func() time.Time) (*Spool, error) {
	if max <= 0 {
		max = DefaultMax
	}
	s := &Spool{folder: folder, max: max, now: now}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("open log spool: %w", err)
	}
	return s, nil
}

// Full says whether the bound is reached.
func (s *Spool) Full() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes >= s.max
}

// Begin opens the log of an attempt. Its owner calls Close on it.
func (s *Spool) Begin(execution string, attempt int, fence int64) *Log {
	l := &Log{
		spool: s, execution: execution, attempt: attempt, fence: fence,
		seq: int64(max(attempt, 1)-1) * seqPerAttempt,
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs = append(s.logs, l)
	return l
}

// Connected begins a session: everything that was not acknowledged is sent again, in order.
func (s *Spool) Connected(send Sender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send, s.inFlight = send, 0
	for _, l := range s.logs {
		l.sent = 0
	}
	s.pump()
}

// Disconnected ends it.
func (s *Spool) Disconnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send = nil
}

// Ack drops the chunks of an execution up to seq, and sends more.
func (s *Spool) Ack(execution string, seq int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range slices.Clone(s.logs) {
		if l.execution == execution {
			l.acked(seq)
		}
	}
	s.pump()
}

// pump sends what fits into the window. It is called with mu held.
func (s *Spool) pump() {
	for _, l := range s.logs {
		for s.send != nil && s.inFlight < window && l.sent < len(l.chunks) {
			c := &l.chunks[l.sent]
			lines, err := l.read(c)
			if err != nil { // the file is damaged: nothing of this chunk can be saved
				l.drop(l.sent)
				continue
			}
			if !s.send(l.message(c, lines)) {
				return
			}
			l.sent++
			s.inFlight += c.n
		}
	}
}

// Pump tries again after the sender was busy.
func (s *Spool) Pump() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pump()
}

// room makes room for n bytes by dropping what ended executions left. False: there is none to be made.
func (s *Spool) room(n int64) bool {
	for s.bytes+n > s.max {
		i := slices.IndexFunc(s.logs, func(l *Log) bool { return l.closed })
		if i < 0 {
			return false
		}
		l := s.logs[i]
		for len(l.chunks) > 0 {
			l.drop(0)
		}
		s.remove(l)
	}
	return true
}

// remove forgets a log and its file.
func (s *Spool) remove(l *Log) {
	l.closeFile()
	if l.stored {
		_ = s.folder.Remove(l.name())
	}
	s.bytes -= l.size
	l.size = 0
	s.logs = slices.DeleteFunc(s.logs, func(x *Log) bool { return x == l })
}

// Close flushes nothing and closes the files; what was not acknowledged stays for the next process.
func (s *Spool) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send = nil
	for _, l := range s.logs {
		l.closed = true
		if l.timer != nil {
			l.timer.Stop()
		}
		l.closeFile()
	}
}

// cut splits a text into lines that are short enough.
func cut(text string) []string {
	if len(text) <= longestLine && !strings.Contains(text, "\n") {
		return []string{text}
	}
	var out []string
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		for len(line) > longestLine {
			n := longestLine
			for n > longestLine-4 && line[n]&0xc0 == 0x80 { // not within a character
				n--
			}
			out, line = append(out, line[:n]), line[n:]
		}
		out = append(out, line)
	}
	return out
}
