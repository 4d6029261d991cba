// Package frame is how a pool and a runner talk over two pipes: one byte of
// kind, four of length, then the payload. Everything that a pool reads was
// written by a process that may be hostile.
package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kinds of frame. Those above Ready go from runner to pool.
const (
	Init  byte = iota + 1 // JSON Setup; the module's bytes follow it, unframed
	Run                   // Start, then the request
	Reply                 // errno, then the reply
	Ready                 // JSON Hello
	Log                   // lines
	Note                  // a "::octopus::" line's JSON
	Call                  // operation, then its request
	Out                   // a piece of standard output
	End                   // JSON Finish
	Used                  // fuel that a guest has used so far
)

// Caps of payloads, in bytes.
const (
	headerSize = 5
	MaxCall    = 8 << 20  // a host call's request
	MaxReply   = 16 << 20 // and its reply: 10 MiB in base64
	MaxPiece   = 256 << 10
	MaxLog     = 128 << 10
	MaxNote    = 8 << 10
	MaxLine    = 8 << 10 // of the log; longer ones are cut, never through a character
	CutLine    = MaxLine - 3
	MaxControl = 256 << 10
	// MaxRequest is above the 8 MiB that a request may have.
	MaxRequest = 9 << 20
)

// ErrHostile is what a frame breaks that no runner of ours would write.
var ErrHostile = errors.New("broken frame")

// caps of what a pool accepts, and what a runner accepts.
var caps = [...]uint32{
	Init: MaxControl, Run: MaxRequest, Reply: MaxReply + 8,
	Ready: MaxControl, Log: MaxLog, Note: MaxNote, Call: MaxCall + 64, Out: MaxPiece, End: MaxControl, Used: 8,
}

// Reader reads frames. It belongs to one goroutine.
type Reader struct {
	r io.Reader
	// fromRunner says which kinds are expected.
	fromRunner bool
	buf        []byte
	start, end int
}

// NewReader reads what a runner writes, or what a pool writes.
func NewReader(r io.Reader, fromRunner bool) *Reader {
	return &Reader{r: r, fromRunner: fromRunner, buf: make([]byte, 4096)}
}

// Next returns the next frame. The payload is valid until the next call.
// io.EOF means that the other side ended between frames.
func (r *Reader) Next() (kind byte, payload []byte, err error) {
	if err := r.fill(headerSize); err != nil {
		return 0, nil, err
	}
	head := r.buf[r.start:]
	kind = head[0]
	size := binary.LittleEndian.Uint32(head[1:])
	if kind == 0 || int(kind) >= len(caps) || (kind >= Ready) != r.fromRunner {
		return 0, nil, fmt.Errorf("frame of kind %d: %w", kind, ErrHostile)
	}
	if size > caps[kind] {
		return 0, nil, fmt.Errorf("frame of kind %d with %d bytes: %w", kind, size, ErrHostile)
	}
	r.start += headerSize
	if err := r.fill(int(size)); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return 0, nil, err
	}
	payload = r.buf[r.start : r.start+int(size) : r.start+int(size)]
	r.start += int(size)
	return kind, payload, nil
}

// keep is the size of the buffer that stays between large frames.
const keep = 64 << 10

// fill makes at least n bytes available at start. The buffer grows with what
// has arrived, not with what a header promises.
func (r *Reader) fill(n int) error {
	have := r.end - r.start
	if have >= n {
		return nil
	}
	if r.start > 0 {
		copy(r.buf, r.buf[r.start:r.end])
		r.start, r.end = 0, have
	}
	if have == 0 && len(r.buf) > keep {
		r.buf = make([]byte, 4096)
	}
	for r.end < n {
		if r.end == len(r.buf) {
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
		}
		got, err := r.r.Read(r.buf[r.end:])
		r.end += got
		if err != nil && r.end < n {
			if errors.Is(err, io.EOF) && r.end > 0 {
				return io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// Rest reads n bytes that are not framed: the module after Init.
func (r *Reader) Rest(n int) ([]byte, error) {
	out := make([]byte, n)
	had := copy(out, r.buf[r.start:r.end])
	r.start += had
	_, err := io.ReadFull(r.r, out[had:])
	return out, err
}

// Writer writes frames. It belongs to one goroutine.
type Writer struct {
	w   io.Writer
	buf []byte
}

// NewWriter writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Queue adds a frame, whose payload is the parts in order, to what the next
// Write sends.
func (w *Writer) Queue(kind byte, parts ...[]byte) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size > int(caps[kind]) {
		return fmt.Errorf("frame of kind %d with %d bytes is too long", kind, size)
	}
	w.buf = append(w.buf, kind)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(size))
	for _, p := range parts {
		w.buf = append(w.buf, p...)
	}
	return nil
}

// Write sends what is queued and this frame with one write.
func (w *Writer) Write(kind byte, parts ...[]byte) error {
	if err := w.Queue(kind, parts...); err != nil {
		return err
	}
	b := w.buf
	if w.buf = b[:0]; cap(b) > keep {
		w.buf = nil
	}
	_, err := w.w.Write(b)
	return err
}
