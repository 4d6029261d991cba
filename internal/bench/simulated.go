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
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"time"

	"github.com/coder/websocket"

	"octopus/agent/link"
	"octopus/internal/octopus"
	"octopus/internal/version"
	"octopus/internal/wire"
)

// simulated is one agent without a sandbox: it keeps a connection and sends heartbeats. Most offer no slot, so that
// they never receive work; what those with one run, only waits.
type simulated struct {
	fleet       *fleet
	name        string
	id          string
	key         ed25519.PrivateKey
	incarnation string
	base        *url.URL
	http        *http.Client
	slots       int
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
	s := &simulated{
		fleet: f, name: fmt.Sprintf("bench-%05d", i), key: key, incarnation: rand.Text(),
		base: base, http: &http.Client{Transport: transport(base, i, f.Insecure)},
	}
	if i < f.Work {
		s.slots = 1
	}
	return s, nil
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

// enrol registers the key, and waits as an agent does when the server has no room.
func (s *simulated) enrol(ctx context.Context) error {
	body, err := json.Marshal(wire.Enrol{
		Token: s.fleet.token, PublicKey: s.key.Public().(ed25519.PublicKey), Name: s.name,
		Labels: map[string]string{"bench": strconv.Itoa(s.slots)}, Facts: s.facts(),
	})
	if err != nil {
		return err
	}
	var enrolled wire.Enrolled
	var backoff link.Backoff
	for {
		err := s.call(ctx, http.MethodPost, wire.PathEnrol, body, &enrolled)
		if err == nil {
			s.id = enrolled.Agent
			s.http.CloseIdleConnections()
			return nil
		}
		var refused *link.Refused
		if !errors.As(err, &refused) || refused.Permanent() || !pause(ctx, backoff.Next(err, 0, link.Window{})) {
			return err
		}
	}
}

func (s *simulated) facts() octopus.Facts {
	return octopus.Facts{
		Hostname: s.name, User: "bench", OS: runtime.GOOS, Arch: runtime.GOARCH, Platform: "simulated",
		AgentVersion: version.Version, Slots: s.slots,
	}
}

// call makes one request. Refusals are *link.Refused.
func (s *simulated) call(ctx context.Context, method, path string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, s.base.JoinPath(path).String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return refusal(resp, raw)
	}
	return json.Unmarshal(raw, out)
}

func refusal(resp *http.Response, raw []byte) error {
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // absent or a date: 0
	var problem struct{ Detail string }
	if json.Unmarshal(raw, &problem) != nil || problem.Detail == "" {
		problem.Detail = resp.Status
	}
	return &link.Refused{Status: resp.StatusCode, Sentence: problem.Detail, RetryAfter: time.Duration(seconds) * time.Second}
}

// connect signs, upgrades and says hello.
func (s *simulated) connect(ctx context.Context) (*websocket.Conn, *wire.Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	var nonce wire.Nonce
	if err := s.call(ctx, http.MethodGet, wire.PathNonce, nil, &nonce); err != nil {
		return nil, nil, fmt.Errorf("nonce: %w", err)
	}
	conn, resp, err := websocket.Dial(ctx, s.base.JoinPath(wire.PathConnect).String(), &websocket.DialOptions{
		HTTPClient: s.http, HTTPHeader: s.signed(nonce.Nonce), Subprotocols: []string{wire.Subprotocol},
		CompressionMode: websocket.CompressionDisabled,
	})
	s.http.CloseIdleConnections()
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			raw, _ := io.ReadAll(resp.Body) // what came of it is enough
			err = refusal(resp, raw)
		}
		return nil, nil, fmt.Errorf("connect: %w", err)
	}
	conn.SetReadLimit(wire.MaxFrame)
	welcome, err := s.hello(ctx, conn)
	if err != nil {
		conn.CloseNow()
		return nil, nil, err
	}
	return conn, welcome, nil
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
	if err := send(ctx, conn, s.present()); err != nil {
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

// present is what the agent says of itself.
func (s *simulated) present() *wire.Hello {
	items := s.items()
	return &wire.Hello{
		Agent: s.id, Incarnation: s.incarnation, JournalID: s.incarnation, Version: wire.Version, Facts: s.facts(),
		Free: max(0, s.slots-len(items)), Items: items, End: true,
	}
}

// items is what the agent's journal holds.
func (s *simulated) items() []wire.Item {
	if s.slots == 0 {
		return nil
	}
	return s.fleet.journal.items(s.id)
}
