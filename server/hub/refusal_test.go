package hub_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/hub"
	"octopus/server/store"
)

// refused is what a refusal says.
type refused struct {
	status  int
	code    string
	detail  string
	headers http.Header
}

// refusal dials with headers and returns the problem that it must get.
func (m *machine) refusal(headers http.Header) refused {
	m.t.Helper()
	l, answer, err := m.dial(headers)
	if err == nil {
		m.t.Fatalf("connected: %v", l)
	}
	if answer == nil {
		m.t.Fatal(err)
	}
	if got := answer.Header.Get("Content-Type"); got != "application/problem+json" {
		m.t.Fatalf("content type %q of %d", got, answer.StatusCode)
	}
	var body struct{ Code, Detail string }
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		m.t.Fatal(err)
	}
	if !strings.HasSuffix(strings.TrimSuffix(body.Detail, "?"), ".") && !strings.HasSuffix(body.Detail, "?") {
		m.t.Errorf("no sentence: %q", body.Detail)
	}
	return refused{answer.StatusCode, body.Code, body.Detail, answer.Header}
}

func (m *machine) want(headers http.Header, status int, contains string) refused {
	m.t.Helper()
	r := m.refusal(headers)
	if r.status != status || !strings.Contains(r.detail, contains) {
		m.t.Errorf("refused with %d %q, not %d … %q", r.status, r.detail, status, contains)
	}
	return r
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("web-01")
	signed := func(change func(http.Header)) http.Header {
		h := m.sign(http.MethodGet, wire.PathConnect)
		change(h)
		return h
	}
	m.want(signed(func(h http.Header) { h.Set("Origin", "https://evil.example") }), 403, "agents")
	m.want(signed(func(h http.Header) { h.Del(wire.HeaderVersion) }), 426, "Update the agent")
	m.want(signed(func(h http.Header) { h.Del(wire.HeaderSignature) }), 401, "lacks")
	m.want(signed(func(h http.Header) { h.Set(wire.HeaderHost, "other.example") }), 403, "other.example")

	other := s.enrol("web-02")
	forged := *m
	forged.key = ed25519.PrivateKey(append([]byte(nil), other.key...))
	m.want(forged.sign(http.MethodGet, wire.PathConnect), 401, "signature")
	unknown := *m
	unknown.id = octopus.NewID(octopus.PrefixAgent, time.Now())
	m.want(unknown.sign(http.MethodGet, wire.PathConnect), 401, "Enrol the machine again")

	h := m.sign(http.MethodGet, wire.PathConnect)
	if _, _, err := m.dial(h); err != nil {
		t.Fatal(err)
	}
	m.want(h, 401, "used before")

	if _, err := s.store.UpdateAgent(context.Background(), other.id, func(a *octopus.Agent) error { a.Revoked = true; return nil }); err != nil {
		t.Fatal(err)
	}
	other.want(other.sign(http.MethodGet, wire.PathConnect), 403, "revoked")
}

func TestAdmissionIsBounded(t *testing.T) {
	t.Parallel()
	s := start(t, settings{hub: hub.Config{AdmitPerSecond: 0.001}})
	m := s.enrol("web-01")
	m.connect()
	r := s.enrol("web-02").want(m.sign(http.MethodGet, wire.PathConnect), 503, "Come back")
	if r.headers.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestTwoMachinesOneKey(t *testing.T) {
	t.Parallel()
	s := start(t, settings{hub: hub.Config{PingWithin: patience}}) // the first answers its ping
	m := s.enrol("web-01")
	first, _ := m.connect()
	second := *m
	second.incarnation = "another"
	m.want(second.sign(http.MethodGet, wire.PathConnect), 409, "web-01 runs on two machines")
	a, err := s.store.Agent(context.Background(), m.id)
	if err != nil || !strings.Contains(a.LastRefusal, "two machines") {
		t.Fatalf("the agent's record: %q %v", a.LastRefusal, err)
	}
	// The same process takes over at once: it knows better than we that its connection is dead.
	m.connect()
	if e := first.closed(); e.Code != wire.CloseSuperseded {
		t.Fatalf("the older connection: %+v", e)
	}
	if s.dispatch.Online() != 1 {
		t.Fatalf("%d agents online", s.dispatch.Online())
	}
}

func TestAnotherMachineMayTakeOverFromTheDead(t *testing.T) {
	t.Parallel()
	s := start(t, settings{hub: hub.Config{PingWithin: 100 * time.Millisecond}})
	m := s.enrol("web-01")
	// A connection that nobody reads: pings are not answered.
	ws, _, err := websocket.Dial(t.Context(), s.http.URL+wire.PathConnect, &websocket.DialOptions{
		HTTPHeader: m.sign(http.MethodGet, wire.PathConnect), HTTPClient: s.http.Client()})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.CloseNow()
	dead := &link{machine: m, ws: ws}
	dead.hello()
	s.eventually("the dead one attaches", func() bool { return s.dispatch.Online() == 1 })
	second := *m
	second.incarnation = "another"
	second.connect()
}

func TestMalformedFrames(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	for name, c := range map[string]struct {
		frame    []byte
		contains string
	}{
		"not json":         {[]byte(`hello`), "not a JSON object"},
		"wrong field":      {[]byte(`{"t":"accept","fence":"x"}`), "accept frame is malformed"},
		"server's message": {[]byte(`{"t":"go"}`), "does not send"},
		"large heartbeat":  {[]byte(`{"t":"heartbeat","digest":"` + strings.Repeat("x", wire.MaxHeartbeat) + `"}`), "over the limit"},
		"huge":             {[]byte(`{"t":"log","lines":"` + strings.Repeat("x", 2*wire.MaxFrame) + `"}`), "read limited"},
	} {
		t.Run(name, func(t *testing.T) {
			m := s.enrol(strings.ReplaceAll(name, " ", "-"))
			l, _ := m.connect()
			if err := l.ws.Write(context.Background(), websocket.MessageText, c.frame); err != nil && name != "huge" {
				t.Fatal(err) // the huge one need not be read to its end
			}
			if e := l.closed(); !strings.Contains(e.Reason, c.contains) {
				t.Errorf("closed with %+v", e)
			}
			s.eventually("the agent's record notes it", func() bool {
				a, err := s.store.Agent(context.Background(), m.id)
				return err == nil && a.LastRefusal != ""
			})
		})
	}
	if s.hub.Malformed() != 5 {
		t.Errorf("%d counted", s.hub.Malformed())
	}
	l, _ := s.enrol("newer").connect()
	l.write([]byte(`{"t":"from the future","x":1}`))
	l.send(&wire.Heartbeat{Seq: 7, Free: 4})
	if a := expect[*wire.HeartbeatAck](l); a.Seq != 7 {
		t.Errorf("%+v", a)
	}
}

func TestHelloMustComeFirstAndSoon(t *testing.T) {
	t.Parallel()
	s := start(t, settings{hub: hub.Config{HelloWithin: 100 * time.Millisecond}})
	l, _, err := s.enrol("quiet").dial(s.enrol("web").sign(http.MethodGet, wire.PathConnect))
	if err != nil {
		t.Fatal(err)
	}
	s.eventually("the quiet one is cut off", func() bool { return s.hub.Connections() == 0 })
	_ = l
	m := s.enrol("rude")
	if l, _, err = m.dial(m.sign(http.MethodGet, wire.PathConnect)); err != nil {
		t.Fatal(err)
	}
	l.send(&wire.Heartbeat{Seq: 1})
	if e := l.closed(); !strings.Contains(e.Reason, "hello") {
		t.Errorf("%+v", e)
	}
	if l, _, err = m.dial(m.sign(http.MethodGet, wire.PathConnect)); err != nil {
		t.Fatal(err)
	}
	l.send(&wire.Hello{Agent: "agt_other", Version: wire.Version, End: true})
	if e := l.closed(); !strings.Contains(e.Reason, "another agent") {
		t.Errorf("%+v", e)
	}
}

// TestLabelsOfAHello: what no selector could name is left out, and the agent let in all the same.
func TestLabelsOfAHello(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("web-01")
	m.labels = map[string]string{"two words": "x", "env": "prod", "note": "a\nb"}
	m.connect()
	a, err := s.store.Agent(t.Context(), m.id)
	if err != nil || len(a.Facts.Labels) != 1 || a.Facts.Labels["env"] != "prod" {
		t.Errorf("%v %v", a.Facts.Labels, err)
	}
}

func TestEnrolRefusals(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		body   any
		status int
	}{
		{wire.Enrol{Token: "wrong", PublicKey: public}, 401}, {wire.Enrol{Token: "x", PublicKey: []byte("short")}, 400}, {"nonsense", 400},
		{wire.Enrol{Token: "x", PublicKey: public, Name: "web 1"}, 422}, {wire.Enrol{Token: "x", PublicKey: public, Name: "agt_1"}, 422},
		{wire.Enrol{Token: "x", PublicKey: public, Labels: map[string]string{"a b": "c"}}, 422},
		{wire.Enrol{Token: "x", PublicKey: public, Facts: octopus.Facts{Labels: map[string]string{"a": "b\nc"}}}, 422},
	} {
		var body struct{ Detail string }
		if status := s.post(wire.PathEnrol, c.body, &body); status != c.status || body.Detail == "" {
			t.Errorf("%+v: %d %q", c.body, status, body.Detail)
		}
	}
}

// TestManyEnrolAtOnce lets a fleet in as fast as the database takes it, and slows down who guesses tokens.
func TestManyEnrolAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 25 {
				s.enrol(fmt.Sprintf("m-%d-%d", i, j))
			}
		})
	}
	wg.Wait()
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	var body struct{ Detail string }
	for i := range 30 {
		if status := s.post(wire.PathEnrol, wire.Enrol{Token: "wrong", PublicKey: public}, &body); status != 401 {
			t.Fatalf("guess %d: %d %s", i, status, body.Detail)
		}
	}
	if status := s.post(wire.PathEnrol, wire.Enrol{Token: "wrong", PublicKey: public}, &body); status != 429 || !strings.Contains(body.Detail, "Try again in") {
		t.Errorf("after 30 guesses: %d %s", status, body.Detail)
	}
}

// refusing fetches a module anew because the copy that the machine had was no good.
func (m *machine) refusing(path, why string) {
	m.t.Helper()
	r, err := http.NewRequest(http.MethodGet, m.server.http.URL+path, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	r.Header = m.sign(http.MethodGet, path)
	r.Header.Set(wire.HeaderRefused, url.PathEscape(why))
	a, err := m.server.http.Client().Do(r)
	if err != nil {
		m.t.Fatal(err)
	}
	if a.Body.Close(); a.StatusCode != 200 {
		m.t.Errorf("module, again: %d", a.StatusCode)
	}
}

func TestModulesAndBlobs(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	m := s.enrol("web-01")
	v, err := s.catalog.Resolve(t.Context(), "probe", "")
	if err != nil {
		t.Fatal(err)
	}
	if status, body := m.do(http.MethodGet, wire.PathModules+v.Digest, nil); status != 200 || int64(len(body)) != v.Size {
		t.Errorf("module: %d, %d bytes", status, len(body))
	}
	m.refusing(wire.PathModules+v.Digest, "It was changed.")
	events, _, err := s.store.PluginEvents(t.Context(), "probe", store.Page{Descending: true})
	if err != nil || events[0].Kind != octopus.PluginModuleRefused || events[0].Actor != "web-01" || events[0].Message != "It was changed." {
		t.Errorf("history: %+v, %v", events, err)
	}
	if f, err := s.store.Fetches(t.Context(), "probe"); err != nil || f[v.Digest] != (octopus.Fetches{Downloads: 2, Agents: 1}) {
		t.Errorf("fetches: %+v, %v", f, err)
	}
	if status, _ := m.do(http.MethodGet, wire.PathModules+"sha256:00", nil); status != 404 {
		t.Errorf("unknown module: %d", status)
	}
	if status, _ := m.do(http.MethodPut, wire.PathBlobs+"00", []byte("x")); status != 422 {
		t.Errorf("wrong hash: %d", status)
	}
	r, err := s.http.Client().Get(s.http.URL + wire.PathModules + v.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if r.StatusCode != 401 {
		t.Errorf("unsigned: %v", r.StatusCode)
	}
}

// TestAskedName: a name that was asked for is the agent's name, as it is.
func TestAskedName(t *testing.T) {
	t.Parallel()
	s := start(t, settings{})
	for _, name := range []string{"büro-пк", "web_1.example"} {
		if m := s.enrol(name); m.name != name {
			t.Errorf("%q is called %q", name, m.name)
		}
	}
}
