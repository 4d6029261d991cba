package bench

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/version"
	"octopus/internal/wire"
)

// simulated is one agent without a sandbox: it keeps a connection and sends heartbeats. It offers no slot, so that
// it never receives work.
type simulated struct {
	fleet       *fleet
	name        string
	id          string
	key         ed25519.PrivateKey
	incarnation string
	base        *url.URL
	http        *http.Client
}

func newSimulated(f *fleet, i int) (*simulated, error) {
	base, err := url.Parse(f.Server)
	if err != nil {
		return nil, fmt.Errorf("server address: %w", err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &simulated{
		fleet: f, name: fmt.Sprintf("bench-%05d", i), key: key, incarnation: rand.Text(),
		base: base, http: &http.Client{Transport: transport(base, i, f.Insecure)},
	}, nil
}

// transport dials loopback servers from an address of its own in 127.0.0.0/8: one source address has only 28,000
// ports.
func transport(base *url.URL, i int, insecure bool) *http.Transport {
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	if ip := net.ParseIP(base.Hostname()); runtime.GOOS == "linux" && ip != nil && ip.IsLoopback() && ip.To4() != nil {
		dialer.LocalAddr = &net.TCPAddr{IP: net.IPv4(127, byte(1+i>>16), byte(i>>8), byte(1+i%254))}
	}
	return &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: insecure},
		ForceAttemptHTTP2: false, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
		MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Second,
	}
}

// enrol registers the key.
func (s *simulated) enrol(ctx context.Context) error {
	body, err := json.Marshal(wire.Enrol{
		Token: s.fleet.Token, PublicKey: s.key.Public().(ed25519.PublicKey), Name: s.name,
		Labels: map[string]string{"bench": "true"}, Facts: s.facts(),
	})
	if err != nil {
		return err
	}
	var enrolled wire.Enrolled
	for {
		wait, err := s.call(ctx, http.MethodPost, wire.PathEnrol, body, &enrolled)
		if err == nil {
			s.id = enrolled.Agent
			s.http.CloseIdleConnections()
			return nil
		}
		if wait == 0 || !pause(ctx, wait) {
			return err
		}
	}
}

func (s *simulated) facts() octopus.Facts {
	return octopus.Facts{Hostname: s.name, User: "bench", OS: runtime.GOOS, Arch: runtime.GOARCH, Platform: "simulated", AgentVersion: version.Version}
}

// call makes one request. wait is the server's Retry-After, 0 without one.
func (s *simulated) call(ctx context.Context, method, path string, body []byte, out any) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, method, s.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, err
	}
	if resp.StatusCode >= 300 {
		return retryAfter(resp), fmt.Errorf("%s: %s", resp.Status, raw)
	}
	return 0, json.Unmarshal(raw, out)
}

func retryAfter(resp *http.Response) time.Duration {
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // absent or a date: 0
	return time.Duration(seconds) * time.Second
}

// stay keeps the agent connected until ctx ends. first is called when it is there for the first time, or never will.
func (s *simulated) stay(ctx context.Context, gate chan struct{}, first func()) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		wait, err := s.session(ctx, gate, func() {
			if first != nil {
				first()
				first = nil
			} else {
				s.fleet.reconnects.Add(1)
			}
		})
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			s.fleet.failed.add(err)
		}
		pause(ctx, max(wait, time.Second)+time.Duration(mathrand.Int64N(int64(2*time.Second))))
	}
	if first != nil {
		first()
	}
}

// session is one connection, from the nonce to its end.
func (s *simulated) session(ctx context.Context, gate chan struct{}, welcomed func()) (wait time.Duration, err error) {
	select {
	case gate <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	started := time.Now()
	conn, welcome, wait, err := s.connect(ctx)
	<-gate
	if err != nil {
		return wait, err
	}
	s.fleet.connected.add(time.Since(started))
	s.fleet.online.Add(1)
	defer s.fleet.online.Add(-1)
	welcomed()
	return 0, s.beat(ctx, conn, welcome)
}

// connect signs, upgrades and says hello.
func (s *simulated) connect(ctx context.Context) (*websocket.Conn, *wire.Welcome, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var nonce wire.Nonce
	if wait, err := s.call(ctx, http.MethodGet, wire.PathNonce, nil, &nonce); err != nil {
		return nil, nil, wait, fmt.Errorf("nonce: %w", err)
	}
	conn, resp, err := websocket.Dial(ctx, s.base.JoinPath(wire.PathConnect).String(), &websocket.DialOptions{
		HTTPClient: s.http, HTTPHeader: s.signed(nonce.Nonce), Subprotocols: []string{wire.Subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	s.http.CloseIdleConnections()
	if err != nil {
		var wait time.Duration
		if resp != nil {
			wait = retryAfter(resp)
			err = fmt.Errorf("connect: %s", resp.Status)
		}
		return nil, nil, wait, err
	}
	conn.SetReadLimit(wire.MaxFrame)
	welcome, err := s.hello(ctx, conn)
	if err != nil {
		conn.CloseNow()
		return nil, nil, 0, err
	}
	return conn, welcome, 0, nil
}

func (s *simulated) signed(nonce string) http.Header {
	h := http.Header{}
	signature := ed25519.Sign(s.key, wire.SignedText(s.id, nonce, s.base.Host, http.MethodGet, wire.PathConnect))
	h.Set(wire.HeaderAgent, s.id)
	h.Set(wire.HeaderNonce, nonce)
	h.Set(wire.HeaderHost, s.base.Host)
	h.Set(wire.HeaderSignature, base64.StdEncoding.EncodeToString(signature))
	h.Set(wire.HeaderVersion, strconv.Itoa(wire.Version))
	h.Set(wire.HeaderIncarnation, s.incarnation)
	return h
}

func (s *simulated) hello(ctx context.Context, conn *websocket.Conn) (*wire.Welcome, error) {
	hello := &wire.Hello{Agent: s.id, Incarnation: s.incarnation, JournalID: s.incarnation, Version: wire.Version, Facts: s.facts(), End: true}
	if err := send(ctx, conn, hello); err != nil {
		return nil, fmt.Errorf("hello: %w", err)
	}
	for {
		m, err := receive(ctx, conn)
		if err != nil {
			return nil, fmt.Errorf("welcome: %w", err)
		}
		if w, ok := m.(*wire.Welcome); ok {
			return w, nil
		}
	}
}

// beat keeps the connection until it or ctx ends. The error says why it ended by itself.
func (s *simulated) beat(ctx context.Context, conn *websocket.Conn, w *wire.Welcome) error {
	session, end := context.WithCancelCause(ctx)
	defer conn.CloseNow()
	sent := make(chan time.Time, 1) // the heartbeat under way; the next one waits for its answer
	listening := make(chan struct{})
	go func() {
		defer close(listening)
		end(s.listen(session, conn, sent))
	}()
	end(s.heartbeats(session, conn, w, sent))
	<-listening
	if ctx.Err() != nil {
		return nil
	}
	return context.Cause(session)
}

// heartbeats sends them as the server asked, until ctx ends.
func (s *simulated) heartbeats(ctx context.Context, conn *websocket.Conn, w *wire.Welcome, sent chan<- time.Time) error {
	timer := time.NewTimer(time.Duration(w.FirstAfterMS) * time.Millisecond)
	defer timer.Stop()
	for seq := int64(1); ; seq++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
		}
		select {
		case sent <- time.Now():
		default:
			return errors.New("a heartbeat was not acknowledged before the next")
		}
		if err := send(ctx, conn, &wire.Heartbeat{Seq: seq}); err != nil {
			return fmt.Errorf("heartbeat: %w", err)
		}
		timer.Reset(time.Duration(w.HeartbeatMS) * time.Millisecond)
	}
}

// listen reads until the connection ends, and times the acknowledgements.
func (s *simulated) listen(ctx context.Context, conn *websocket.Conn, sent <-chan time.Time) error {
	for {
		m, err := receive(ctx, conn)
		if err != nil {
			return fmt.Errorf("connection: %w", err)
		}
		if _, ok := m.(*wire.HeartbeatAck); ok {
			select {
			case at := <-sent:
				s.fleet.heartbeats.add(time.Since(at))
			default:
			}
		}
	}
}

func send(ctx context.Context, conn *websocket.Conn, m wire.Message) error {
	frame, err := wire.Encode(m)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, frame)
}

func receive(ctx context.Context, conn *websocket.Conn) (wire.Message, error) {
	for {
		_, frame, err := conn.Read(ctx)
		if err != nil {
			return nil, err
		}
		if m, err := wire.Decode(frame); !errors.Is(err, wire.ErrUnknownType) {
			return m, err
		}
	}
}

// pause waits; it reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
