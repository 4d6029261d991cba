package hub

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"time"
)

// bufferSize is that of a connection's reader and writer. net/http's own are eight times as large, and ten thousand
// agents mostly wait.
const bufferSize = 512

// leanWriter gives a hijacker small buffers, and keeps the connection for deadlines.
type leanWriter struct {
	http.ResponseWriter
	conn net.Conn
}

// Hijack implements http.Hijacker.
func (w *leanWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		conn.Close()
		return nil, nil, err
	}
	w.conn = conn
	early, _ := rw.Reader.Peek(rw.Reader.Buffered())
	r := bufio.NewReaderSize(conn, bufferSize)
	if len(early) > 0 { // a client that does not wait for the answer to its upgrade
		r = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(early)), conn), max(bufferSize, len(early)))
		if _, err := r.Peek(len(early)); err != nil {
			conn.Close()
			return nil, nil, err
		}
	}
	return conn, bufio.NewReadWriter(r, bufio.NewWriterSize(conn, bufferSize)), nil
}
