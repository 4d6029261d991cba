package web

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"time"
)

// maxChatter is what a browser may send on the connection of a stream. Browsers send nothing.
const maxChatter = 1 << 10

// outlet is the way to one browser: for as long as it watches, nothing but its stream goes there. One goroutine writes.
type outlet struct {
	write func(batch []byte) error
	gone  <-chan struct{} // closed when the browser went away
	close func()          // ends what the outlet holds, and waits for it
}

// flushing is an outlet over a response that net/http owns: HTTP/2, and HTTP/1.0.
func flushing(w http.ResponseWriter, r *http.Request) *outlet {
	out := http.NewResponseController(w)
	return &outlet{
		write: func(batch []byte) error {
			// Where the writer knows no deadline, as in tests, a slow reader is still bounded by its queue.
			_ = out.SetWriteDeadline(time.Now().Add(writePatient))
			if _, err := w.Write(batch); err != nil {
				return fmt.Errorf("stream: %w", err)
			}
			return out.Flush()
		},
		gone: r.Context().Done(),
		// The connection serves other requests after this one, which set no deadline of their own.
		close: func() { _ = out.SetWriteDeadline(time.Time{}) },
	}
}

// taken is an outlet over a connection of its own, for HTTP/1.1. A watching browser costs a third of the memory there:
// net/http keeps for each request two buffers of 4 KiB, the request, and the stack on which it was answered, which
// grew by what lies between the socket and here. ok is false where the connection cannot be had.
func taken(w http.ResponseWriter, r *http.Request) (o *outlet, ok bool) {
	if r.ProtoMajor != 1 || r.ProtoMinor < 1 {
		return nil, false
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, false
	}
	gone := make(chan struct{})
	o = &outlet{
		write: func(batch []byte) error {
			if err := conn.SetWriteDeadline(time.Now().Add(writePatient)); err != nil {
				return fmt.Errorf("stream: %w", err)
			}
			_, err := conn.Write(batch)
			return err
		},
		gone: gone,
		close: func() {
			conn.Close()
			<-gone
		},
	}
	head := answerHead(w.Header())
	go func() {
		defer close(gone)
		hear(conn)
	}()
	if conn.SetReadDeadline(time.Time{}) != nil || o.write(head) != nil {
		o.close()
		return nil, true // there is nobody any more
	}
	return o, true
}

// answerHead is the head of an answer whose body ends with the connection.
func answerHead(h http.Header) []byte {
	h = h.Clone()
	h.Set("Connection", "close")
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&head) // a buffer takes everything
	head.WriteString("\r\n")
	return head.Bytes()
}

// hear returns when the other side has gone, or talks where it should listen.
func hear(conn net.Conn) {
	var some [64]byte
	for heard := 0; heard < maxChatter; {
		n, err := conn.Read(some[:])
		if err != nil {
			return
		}
		heard += n
	}
}
