package hub_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/auth"
)

// machine is an enrolled agent's identity. It speaks the protocol as a test tells it to.
type machine struct {
	t           testing.TB
	server      *server
	id, name    string
	key         ed25519.PrivateKey
	incarnation string
	journal     string
	slots       int
	labels      map[string]string
	sandbox     octopus.SandboxLevel
}

// enrol registers a machine with a fresh join token.
func (s *server) enrol(name string) *machine {
	s.t.Helper()
	secret := octopus.NewID("", time.Now())
	token := octopus.JoinToken{
		ID: octopus.NewID(octopus.PrefixToken, time.Now()), Name: "tests", Hash: auth.HashSecret(secret),
		CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour), MaxUses: 1,
	}
	if err := s.store.CreateJoinToken(context.Background(), token); err != nil {
		s.t.Fatal(err)
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	m := &machine{t: s.t, server: s, key: private, incarnation: octopus.NewID("", time.Now()), journal: octopus.NewID("", time.Now()), slots: 4}
	var got wire.Enrolled
	status := s.post(wire.PathEnrol, wire.Enrol{Token: secret, PublicKey: public, Name: name, Facts: m.facts()}, &got)
	if status != http.StatusCreated {
		s.t.Fatalf("enrol: status %d", status)
	}
	m.id, m.name = got.Agent, got.Name
	return m
}

// enrolDirect registers a machine without asking the hub, which bounds how many may enrol a second.
func (s *server) enrolDirect(name string) *machine {
	s.t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.bulk == nil {
		s.bulk = auth.HashSecret("bulk")
		token := octopus.JoinToken{ID: octopus.NewID(octopus.PrefixToken, time.Now()), Name: "bulk", Hash: s.bulk, CreatedAt: time.Now(), ExpiresAt: time.Now().Add(time.Hour)}
		if err := s.store.CreateJoinToken(context.Background(), token); err != nil {
			s.t.Fatal(err)
		}
	}
	m := &machine{t: s.t, server: s, name: name, key: private, incarnation: octopus.NewID("", time.Now()), journal: "j", slots: 4}
	a, err := s.store.Enrol(context.Background(), s.bulk, octopus.Agent{ID: octopus.NewID(octopus.PrefixAgent, time.Now()), Name: name,
		PublicKey: public, Slots: 4, Facts: m.facts(), Enabled: true, CreatedAt: time.Now()})
	if err != nil {
		s.t.Fatal(err)
	}
	m.id = a.ID
	return m
}

func (s *server) post(path string, body, into any) int {
	s.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	r, err := s.http.Client().Post(s.http.URL+path, "application/json", bytes.NewReader(raw))
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		s.t.Fatal(err)
	}
	return r.StatusCode
}

func (m *machine) facts() octopus.Facts {
	return octopus.Facts{
		Hostname: m.name, OS: "linux", Arch: "amd64", AgentVersion: "0.1.0", Slots: m.slots, Labels: m.labels,
		Sandbox: octopus.Sandbox{Level: string(m.sandbox)},
	}
}

// sign returns the headers of a signed request, with a fresh nonce.
func (m *machine) sign(method, path string) http.Header {
	m.t.Helper()
	r, err := m.server.http.Client().Get(m.server.http.URL + wire.PathNonce)
	if err != nil {
		m.t.Fatal(err)
	}
	defer r.Body.Close()
	var nonce wire.Nonce
	if err := json.NewDecoder(r.Body).Decode(&nonce); err != nil {
		m.t.Fatal(err)
	}
	u, err := url.Parse(m.server.http.URL)
	if err != nil {
		m.t.Fatal(err)
	}
	signature := ed25519.Sign(m.key, wire.SignedText(m.id, nonce.Nonce, u.Host, method, path))
	return http.Header{
		wire.HeaderAgent: {m.id}, wire.HeaderNonce: {nonce.Nonce}, wire.HeaderHost: {u.Host},
		wire.HeaderSignature: {base64.StdEncoding.EncodeToString(signature)},
		wire.HeaderVersion:   {strconv.Itoa(wire.Version)}, wire.HeaderIncarnation: {m.incarnation},
	}
}

// do sends a signed request and returns its status and body.
func (m *machine) do(method, path string, body []byte) (int, string) {
	m.t.Helper()
	r, err := http.NewRequest(method, m.server.http.URL+path, bytes.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header = m.sign(method, path)
	a, err := m.server.http.Client().Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	defer a.Body.Close()
	raw, err := io.ReadAll(a.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return a.StatusCode, string(raw)
}

// link is one connection of a machine.
type link struct {
	*machine
	ws  *websocket.Conn
	got chan wire.Message // closed at the end of the connection
	err error             // why, once got is closed

	passed []wire.Message // what came while expect waited for something else

	offers chan *wire.Offer // set by offersOf
}

// dial opens a socket. The answer comes with the error when the server refuses.
func (m *machine) dial(headers http.Header) (*link, *http.Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, answer, err := websocket.Dial(ctx, m.server.http.URL+wire.PathConnect, &websocket.DialOptions{
		HTTPHeader: headers, Subprotocols: []string{wire.Subprotocol}, HTTPClient: m.server.http.Client(),
	})
	if err != nil {
		return nil, answer, err
	}
	ws.SetReadLimit(-1)
	got := make(chan wire.Message, 1000)
	l := &link{machine: m, ws: ws, got: got}
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.read(got)
	}()
	m.t.Cleanup(func() {
		ws.CloseNow()
		<-done
	})
	return l, answer, nil
}

func (l *link) read(got chan<- wire.Message) {
	defer close(got)
	for {
		_, frame, err := l.ws.Read(context.Background())
		if err != nil {
			l.err = err
			return
		}
		m, err := wire.Decode(frame)
		if err != nil {
			l.err = err
			return
		}
		got <- m
	}
}

// connect opens a socket and says hello with what the machine holds. It returns when the hello is answered.
func (m *machine) connect(items ...wire.Item) (*link, *wire.HelloAnswer) {
	m.t.Helper()
	l, answer, err := m.dial(m.sign(http.MethodGet, wire.PathConnect))
	if err != nil {
		m.t.Fatalf("connect: %v (%v)", err, answer)
	}
	l.hello(items...)
	expect[*wire.Welcome](l)
	return l, expect[*wire.HelloAnswer](l)
}

// doubted waits until the server doubts that the hello was new, because it did not name what should run, and says it again.
func (l *link) doubted(items ...wire.Item) {
	l.t.Helper()
	for !expect[*wire.HeartbeatAck](l).Rehello {
	}
	l.hello(items...)
}

func (l *link) hello(items ...wire.Item) {
	l.send(&wire.Hello{
		Agent: l.id, Incarnation: l.incarnation, JournalID: l.journal, Version: wire.Version, Facts: l.facts(),
		Free: l.slots, Items: items, End: true,
	})
}

func (l *link) send(m wire.Message) {
	l.t.Helper()
	frame, err := wire.Encode(m)
	if err != nil {
		l.t.Fatal(err)
	}
	l.write(frame)
}

func (l *link) write(frame []byte) {
	l.t.Helper()
	if err := l.ws.Write(context.Background(), websocket.MessageText, frame); err != nil {
		l.t.Fatalf("write: %v", err)
	}
}

// expect returns the next message of a type. What came before it is kept for the next expect: two offers may come in
// a row, and a test that answers the first has the second still to see.
func expect[T wire.Message](l *link) T {
	l.t.Helper()
	for i, m := range l.passed {
		if want, ok := m.(T); ok {
			l.passed = slices.Delete(l.passed, i, i+1)
			return want
		}
	}
	timeout := time.After(patience)
	for {
		select {
		case m, ok := <-l.got:
			if !ok {
				l.t.Fatalf("the connection ended: %v", l.err)
			}
			if want, ok := m.(T); ok {
				return want
			}
			l.passed = append(l.passed, m)
		case <-timeout:
			var want T
			l.t.Fatalf("no %T came", want)
		}
	}
}

// closed returns the code and reason with which the server ended the connection.
func (l *link) closed() websocket.CloseError {
	l.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case _, ok := <-l.got:
			if ok {
				continue
			}
			if code := websocket.CloseStatus(l.err); code < 0 {
				l.t.Fatalf("the connection broke: %v", l.err)
			}
			var e websocket.CloseError
			if !asClose(l.err, &e) {
				l.t.Fatal(l.err)
			}
			return e
		case <-timeout:
			l.t.Fatal("the connection was not closed")
		}
	}
}

// take accepts an offer and waits for its go.
func (l *link) take(o *wire.Offer) *wire.Go {
	l.t.Helper()
	l.send(&wire.Accept{Execution: o.Execution, Fence: o.Fence})
	return expect[*wire.Go](l)
}

// succeed is the result of an execution that went well.
func (l *link) succeed(g *wire.Go, offer int64) *wire.Result {
	return &wire.Result{
		Execution: g.Execution, Attempt: g.Attempt, Fence: g.Fence, Outcome: octopus.Succeeded,
		Response: json.RawMessage(`{"status_code":200,"message":"done"}`), ElapsedMS: 1,
		Usage: wire.Usage{GuestUS: 1000, ReadyUS: 500}, Free: l.slots, LastOffer: offer,
	}
}
