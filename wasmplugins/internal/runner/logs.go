package runner

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"octopus/wasmplugins/internal/frame"
)

const (
	maxLine    = frame.MaxLine
	batch      = 32 << 10
	flushAfter = 20 * time.Millisecond
	noteEvery  = 50 * time.Millisecond
)

// notePrefix begins a line of standard error that reports progress.
var notePrefix = []byte("::octopus:: ")

// logs keeps the head and the tail of one execution's log: the head is sent
// as it is written, the tail when the guest has ended. Lines beyond the rate
// and between head and tail are left out and counted.
type logs struct {
	send func(kind byte, parts ...[]byte) error
	now  func() time.Time

	mu      sync.Mutex // the guest's goroutine, and the flush timer
	timer   *time.Timer
	armed   bool
	pending []byte // encoded lines to send
	flushed time.Time

	partial []byte // a line that has not ended yet
	head    int    // bytes left of the head
	tailCap int
	tail    []byte // encoded lines
	tailAt  int    // where the tail begins
	cut     int    // lines left out between head and tail
	warned  bool

	rate    int
	window  time.Time
	inside  int // lines in this window
	dropped int // lines beyond the rate, not yet told

	note     []byte // the latest progress, not yet sent
	noteSent time.Time
}

func newLogs(send func(byte, ...[]byte) error) *logs {
	l := &logs{send: send, now: time.Now}
	l.timer = time.AfterFunc(time.Hour, l.tick)
	l.timer.Stop()
	return l
}

// begin starts an execution.
func (l *logs) begin(bytes, rate int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.head, l.tailCap, l.rate = bytes-bytes/2, bytes/2, rate
	l.partial, l.pending, l.tail, l.note = l.partial[:0], l.pending[:0], l.tail[:0], l.note[:0]
	l.tailAt, l.cut, l.inside, l.dropped, l.warned = 0, 0, 0, 0, false
	l.flushed, l.noteSent, l.window = time.Time{}, time.Time{}, l.now()
}

// Write is the guest's standard error.
func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		if room := maxLine - len(l.partial); len(line) > room {
			room = whole(p, room)
			line, rest, ended = p[:room], p[room:], true
		}
		if !ended {
			l.partial = append(l.partial, line...)
			break
		}
		if len(l.partial) > 0 {
			l.partial = append(l.partial, line...)
			l.line(l.partial)
			l.partial = l.partial[:0]
		} else {
			l.line(line)
		}
		p = rest
	}
	l.soon()
	return n, nil
}

// say adds the lines of a message, as the log operation does.
func (l *logs) say(text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		if len(line) > maxLine {
			n := whole(text, maxLine)
			line, rest = text[:n], text[n:]
		}
		l.line(line)
		text = rest
	}
	l.soon()
}

// whole is n, or a little less where a cut at n would go through a character.
func whole(p []byte, n int) int {
	for back := 0; back < utf8.UTFMax && back < n; back++ {
		if utf8.RuneStart(p[n-back]) {
			return n - back
		}
	}
	return n
}

func (l *logs) line(text []byte) {
	text = bytes.TrimSuffix(text, []byte{'\r'})
	if json, ok := bytes.CutPrefix(text, notePrefix); ok && len(json) <= frame.MaxNote {
		l.note = append(l.note[:0], json...)
		return
	}
	now := l.now()
	if now.Sub(l.window) >= time.Second {
		l.tellDropped(now)
		l.window, l.inside = now, 0
	}
	if l.inside++; l.inside > l.rate {
		l.dropped++
		return
	}
	l.keep(now, text)
}

func (l *logs) tellDropped(now time.Time) {
	if l.dropped > 0 {
		text := fmt.Appendf(nil, "… %d lines left out: more than %d a second", l.dropped, l.rate)
		l.dropped, l.warned = 0, true
		l.keep(now, text)
	}
}

// keep puts a line into the head, or else into the tail.
func (l *logs) keep(at time.Time, text []byte) {
	size := frame.LineSize(len(text))
	if l.head >= size {
		l.head -= size
		if len(l.pending)+size > batch {
			l.flush()
		}
		l.pending = frame.AppendLine(l.pending, at, text)
		return
	}
	if l.head > 0 {
		l.pending = frame.AppendLine(l.pending, at, []byte("… the log is long; what follows here is its end"))
	}
	l.head = 0
	l.tail = frame.AppendLine(l.tail, at, text)
	for len(l.tail)-l.tailAt > l.tailCap {
		l.tailAt += firstLine(l.tail[l.tailAt:])
		l.cut++
	}
	if l.tailAt > l.tailCap {
		l.tail = l.tail[:copy(l.tail, l.tail[l.tailAt:])]
		l.tailAt = 0
	}
}

// firstLine is the size of the first encoded line.
func firstLine(b []byte) int {
	return frame.LineSize(int(binary.LittleEndian.Uint32(b[8:])))
}

// soon sends what is pending now, or lets the timer do it. l.mu is held.
func (l *logs) soon() {
	if len(l.pending) == 0 && len(l.note) == 0 {
		return
	}
	if l.now().Sub(l.flushed) >= flushAfter {
		l.flush()
	}
	if (len(l.pending) > 0 || len(l.note) > 0) && !l.armed {
		l.armed = true
		l.timer.Reset(flushAfter)
	}
}

func (l *logs) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.armed = false
	l.flush()
	if len(l.note) > 0 {
		l.armed = true
		l.timer.Reset(noteEvery)
	}
}

// Flush sends what is pending, before the guest waits for something.
func (l *logs) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
}

// flush holds l.mu. A pipe that is gone ends the process elsewhere.
func (l *logs) flush() {
	if len(l.pending) > 0 {
		_ = l.send(frame.Log, l.pending)
		l.pending = l.pending[:0]
		l.flushed = l.now()
	}
	if len(l.note) > 0 && l.now().Sub(l.noteSent) >= noteEvery {
		l.sendNote()
	}
}

func (l *logs) sendNote() {
	_ = l.send(frame.Note, l.note)
	l.note = l.note[:0]
	l.noteSent = l.now()
}

// progress reports what a progress operation said.
func (l *logs) progress(json []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(json) <= frame.MaxNote {
		l.note = append(l.note[:0], json...)
		l.soon()
	}
}

// end sends the rest, and says whether lines were left out.
func (l *logs) end() (cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.partial) > 0 {
		l.line(l.partial)
	}
	now := l.now()
	l.tellDropped(now)
	if l.cut > 0 {
		l.pending = frame.AppendLine(l.pending, now, fmt.Appendf(nil, "… %d lines left out", l.cut))
	}
	if len(l.note) > 0 {
		l.sendNote()
	}
	l.flush()
	for l.tailAt < len(l.tail) {
		end := l.tailAt
		for end < len(l.tail) && end-l.tailAt < batch {
			end += firstLine(l.tail[end:])
		}
		_ = l.send(frame.Log, l.tail[l.tailAt:end])
		l.tailAt = end
	}
	if cap(l.tail) > batch {
		l.tail = nil
	}
	return l.cut > 0 || l.warned
}
