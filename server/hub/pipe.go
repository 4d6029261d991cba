package hub

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// pipe carries the frames of one connection: a WebSocket, or long polls. What the frames mean is the same on both.
type pipe interface {
	// next waits for the agent's next frame. Only the connection's reader calls it. The job may instead ask to be
	// told when all before it was handled.
	next() (job, error)
	// put hands one frame over and waits for room, at most writeWithin; false: the agent does not take it. Only the
	// connection's writer calls it.
	put(frame []byte) bool
	// bye says goodbye after what was put, and waits a moment for it to arrive. The connection's writer calls it last.
	bye(code int, why string)
	// cause says for people why next failed; "" when the frame was to blame, which is then refused.
	cause(err error) string
	// alive asks the agent for a sign of life. The reader must be reading.
	alive(within time.Duration) bool
	// kill ends the connection without a word. It may be called more than once, from anywhere.
	kill()
	transport() octopus.Transport
}

// socket is a WebSocket.
type socket struct {
	ws  *websocket.Conn
	net net.Conn // below it, for deadlines
}

// buffers hold frames while they are read: an idle connection has none.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// next reads one frame, at most wire.MaxFrame bytes.
func (s *socket) next() (job, error) {
	kind, r, err := s.ws.Reader(context.Background())
	if err != nil {
		return job{}, err
	}
	buffer := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buffer)
	buffer.Reset()
	if _, err := io.Copy(buffer, r); err != nil {
		return job{}, err
	}
	if kind != websocket.MessageText {
		return job{}, octopus.Errorf(octopus.CodeMalformed, "Messages are text frames.")
	}
	return job{frame: bytes.Clone(buffer.Bytes())}, nil
}

func (s *socket) put(frame []byte) bool {
	s.net.SetWriteDeadline(time.Now().Add(writeWithin))
	return s.ws.Write(context.Background(), websocket.MessageText, frame) == nil
}

// bye gives the peer's own goodbye a limit: the library waits for the rest of a frame for as long as it takes.
func (s *socket) bye(code int, why string) {
	_ = s.net.SetReadDeadline(time.Now().Add(lastAnswer)) // one that is closed needs none
	s.ws.Close(websocket.StatusCode(code), clip(why, 120))
}

func (s *socket) cause(err error) string {
	var closed websocket.CloseError
	switch {
	case errors.As(err, &closed) && closed.Reason != "":
		return clip(closed.Reason, 200)
	case errors.As(err, &closed):
		return "the agent closed the connection"
	case errors.Is(err, websocket.ErrMessageTooBig):
		return ""
	case octopus.CodeOf(err) == octopus.CodeMalformed:
		return ""
	}
	return "the connection broke"
}

func (s *socket) alive(within time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return s.ws.Ping(ctx) == nil
}

func (s *socket) kill() { s.ws.CloseNow() }

func (s *socket) transport() octopus.Transport { return octopus.TransportWebSocket }

// errTooBig is said of a frame over the limit. The library has closed the socket with 1009 by then.
var errTooBig = octopus.Errorf(octopus.CodeMalformed, "A frame is over the limit of %d KiB.", wire.MaxFrame>>10)
