package link

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Conn is an open WebSocket. One goroutine reads, one writes.
type Conn struct{ ws *websocket.Conn }

// Closed is how the server ended a connection.
type Closed struct {
	Code   int
	Reason string
}

// Error says it in words.
func (c *Closed) Error() string {
	if c.Reason == "" {
		return fmt.Sprintf("the server closed the connection (%d)", c.Code)
	}
	return fmt.Sprintf("the server closed the connection (%d): %s", c.Code, c.Reason)
}

// NoUpgrade says that the server answers, but that no WebSocket comes through: something in between does not pass
// it on.
type NoUpgrade struct{ Err error }

// Error says what came instead.
func (n *NoUpgrade) Error() string { return "no WebSocket comes through: " + n.Err.Error() }

// Unwrap is what came instead.
func (n *NoUpgrade) Unwrap() error { return n.Err }

// Dial opens the agent's connection. Refusals are *Refused; where the server's nonce came through but the upgrade
// did not, the error is *NoUpgrade.
func (c *Client) Dial(ctx context.Context, id Identity) (*Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	header, err := c.sign(ctx, id, http.MethodGet, wire.PathConnect)
	if err != nil {
		return nil, err
	}
	return c.dial(ctx, header)
}

func (c *Client) dial(ctx context.Context, header http.Header) (*Conn, error) {
	ws, resp, err := websocket.Dial(ctx, c.url(wire.PathConnect), &websocket.DialOptions{
		HTTPClient: c.http, HTTPHeader: header, Subprotocols: []string{wire.Subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	if err != nil {
		if resp == nil {
			return nil, &NoUpgrade{transportError(err)}
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, &NoUpgrade{err}
		}
		r := refused(resp)
		if r.Code == "" || r.Code == string(octopus.CodeNoUpgrade) {
			return nil, &NoUpgrade{r}
		}
		return nil, r // that is our server speaking
	}
	if ws.Subprotocol() != wire.Subprotocol {
		ws.CloseNow()
		return nil, &NoUpgrade{errors.New("the server, or a proxy before it, does not speak " + wire.Subprotocol)}
	}
	ws.SetReadLimit(wire.MaxFrame)
	return &Conn{ws}, nil
}

// Read returns the next message. Frames of types that this version does not know are skipped. An error means that
// the connection is gone; it is *Closed where the server said why.
func (c *Conn) Read(ctx context.Context) (wire.Message, error) {
	for {
		_, frame, err := c.ws.Read(ctx)
		if err != nil {
			var closed websocket.CloseError
			if errors.As(err, &closed) {
				return nil, &Closed{int(closed.Code), closed.Reason}
			}
			return nil, fmt.Errorf("read: %w", err)
		}
		m, err := wire.Decode(frame)
		switch {
		case err == nil:
			return m, nil
		case errors.Is(err, wire.ErrUnknownType):
		default:
			c.Close("malformed frame")
			return nil, err
		}
	}
}

// Write sends one frame within 10 s.
func (c *Conn) Write(ctx context.Context, frame []byte) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := c.ws.Write(ctx, websocket.MessageText, frame); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// Close says good-bye and closes. CloseNow does not wait for the peer.
func (c *Conn) Close(reason string) { c.ws.Close(websocket.StatusNormalClosure, reason) }

// CloseNow closes without a word.
func (c *Conn) CloseNow() { c.ws.CloseNow() }
