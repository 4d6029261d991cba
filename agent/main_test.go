package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/wasmplugins"
)

// TestMain lets the test binary be the runner, and an agent of its own that a test can kill.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case "runner":
			os.Exit(wasmplugins.RunnerMain(os.Args[2:]))
		case "agent":
			os.Exit(agentProcess(os.Args[2], os.Args[3]))
		}
	}
	goleak.VerifyTestMain(m)
}

// agentProcess is an agent in a process of its own.
func agentProcess(server, data string) int {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	a, err := New(Config{Server: server, Token: "join", Data: data, Slots: 4, Log: log, Version: "test", restAfter: 300 * time.Millisecond})
	if err == nil {
		err = a.Run(context.Background())
	}
	if err != nil {
		log.Error("agent", "err", err)
		return 1
	}
	return 0
}

// wait is how long a test waits for what must happen.
const wait = 2 * time.Minute

// hub is a server that speaks internal/wire and does what a test says.
type hub struct {
	t     *testing.T
	web   *httptest.Server
	mux   *http.ServeMux
	peers chan *peer

	mu      sync.Mutex
	keys    map[string]ed25519.PublicKey
	modules map[string][]byte
	blobs   map[string][]byte
	nonces  map[string]bool
	refuse  func(w http.ResponseWriter, path string) bool
}

func newHub(t *testing.T) *hub {
	h := &hub{
		t: t, peers: make(chan *peer, 16), keys: map[string]ed25519.PublicKey{},
		modules: map[string][]byte{}, blobs: map[string][]byte{}, nonces: map[string]bool{},
	}
	mux := http.NewServeMux()
	h.mux = mux
	mux.HandleFunc("GET "+wire.PathNonce, func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(wire.Nonce{Nonce: h.nonce(), ValidMS: 60_000})
	})
	mux.HandleFunc("POST "+wire.PathEnrol, h.enrol)
	mux.HandleFunc("GET "+wire.PathConnect, h.connect)
	mux.HandleFunc("GET "+wire.PathModules+"{digest}", func(w http.ResponseWriter, r *http.Request) {
		if !h.signed(w, r) {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		w.Write(h.modules[r.PathValue("digest")])
	})
	mux.HandleFunc("PUT "+wire.PathBlobs+"{sum}", func(w http.ResponseWriter, r *http.Request) {
		if !h.signed(w, r) {
			return
		}
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.blobs[r.PathValue("sum")] = body
		w.WriteHeader(http.StatusNoContent)
	})
	h.web = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		refuse := h.refuse
		h.mu.Unlock()
		if refuse == nil || !refuse(w, r.URL.Path) {
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(h.web.Close)
	return h
}

func (h *hub) nonce() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := newIncarnation()
	h.nonces[n] = true
	return n
}

func problem(w http.ResponseWriter, status int, code, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]any{"status": status, "code": code, "detail": detail})
}

func (h *hub) enrol(w http.ResponseWriter, r *http.Request) {
	var e wire.Enrol
	json.NewDecoder(r.Body).Decode(&e)
	if e.Token != "join" {
		problem(w, 401, "unauthenticated", "This join token was used up.")
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	id := octopus.NewID(octopus.PrefixAgent, time.Now())
	for known, key := range h.keys {
		if key.Equal(ed25519.PublicKey(e.PublicKey)) {
			id = known
		}
	}
	h.keys[id] = e.PublicKey
	json.NewEncoder(w).Encode(wire.Enrolled{Agent: id, Name: "web-01"})
}

// signed checks a request as the real server does: key, host and a nonce that is used once.
func (h *hub) signed(w http.ResponseWriter, r *http.Request) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	id, nonce := r.Header.Get(wire.HeaderAgent), r.Header.Get(wire.HeaderNonce)
	signature, _ := base64.StdEncoding.DecodeString(r.Header.Get(wire.HeaderSignature))
	text := wire.SignedText(id, nonce, r.Header.Get(wire.HeaderHost), r.Method, r.URL.Path)
	if key := h.keys[id]; key == nil || !h.nonces[nonce] || r.Header.Get(wire.HeaderHost) != r.Host || !ed25519.Verify(key, text, signature) {
		problem(w, 401, "unauthenticated", "The signature is wrong.")
		return false
	}
	delete(h.nonces, nonce)
	return true
}

func (h *hub) connect(w http.ResponseWriter, r *http.Request) {
	if !h.signed(w, r) {
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.Subprotocol}})
	if err != nil {
		return
	}
	ws.SetReadLimit(wire.MaxFrame)
	p := &peer{t: h.t, ws: ws, in: make(chan wire.Message, 1024), gone: make(chan struct{})}
	h.peers <- p
	p.read()
}

// publish makes a module available and returns its digest.
func (h *hub) publish(module []byte) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	digest := wasmplugins.Digest(module)
	h.modules[digest] = module
	return digest
}

// peer is the server's end of a socket. It acknowledges heartbeats and logs by itself.
type peer struct {
	t    *testing.T
	ws   *websocket.Conn
	in   chan wire.Message
	gone chan struct{}

	mu    sync.Mutex
	lines []string
}

func (p *peer) read() {
	defer close(p.gone)
	defer p.ws.CloseNow()
	for {
		_, frame, err := p.ws.Read(context.Background())
		if err != nil {
			return
		}
		m, err := wire.Decode(frame)
		if err != nil {
			p.t.Errorf("the agent sent a bad frame: %v", err)
			return
		}
		switch m := m.(type) {
		case *wire.Heartbeat:
			p.send(&wire.HeartbeatAck{Seq: m.Seq})
		case *wire.Log:
			p.mu.Lock()
			for _, l := range m.Lines {
				p.lines = append(p.lines, l.Text)
			}
			p.mu.Unlock()
			p.send(&wire.LogAck{Execution: m.Execution, Seq: m.Seq})
		}
		p.in <- m
	}
}

func (p *peer) send(m wire.Message) {
	frame, err := wire.Encode(m)
	if err != nil {
		p.t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	p.ws.Write(ctx, websocket.MessageText, frame)
}

// next returns the next message of type T and skips others.
func next[T wire.Message](p *peer) T {
	p.t.Helper()
	timeout := time.After(wait)
	for {
		select {
		case m := <-p.in:
			if found, ok := m.(T); ok {
				return found
			}
		case <-timeout:
			var want T
			p.t.Fatalf("the agent did not send a %T", want)
		}
	}
}

// peer waits for the agent to connect, and welcomes it: each item of its hello is answered by answer.
func (h *hub) peer(answer func(wire.Item) wire.Answer) (*peer, *wire.Hello) {
	h.t.Helper()
	var p *peer
	select {
	case p = <-h.peers:
	case <-time.After(wait):
		h.t.Fatal("the agent did not connect")
	}
	hello := next[*wire.Hello](p)
	p.send(&wire.Welcome{Name: "web-01", ServerID: "srv", SessionEpoch: 1, HeartbeatMS: 60_000, FirstAfterMS: 60_000, OfflineMS: 150_000})
	reply := &wire.HelloAnswer{End: true}
	for _, it := range hello.Items {
		a := wire.AnswerKeep
		if answer != nil {
			a = answer(it)
		}
		reply.Items = append(reply.Items, wire.AnsweredItem{Execution: it.Execution, Attempt: it.Attempt, Fence: it.Fence, Answer: a})
	}
	p.send(reply)
	return p, hello
}

// offer is work for the agent.
func offer(digest string) *wire.Offer {
	return &wire.Offer{
		OfferSeq: 1, Execution: octopus.NewID(octopus.PrefixExecution, time.Now()), Run: octopus.NewID(octopus.PrefixRun, time.Now()),
		Task: octopus.NewID(octopus.PrefixTask, time.Now()), Attempt: 1, Fence: 1, Plugin: "probe", PluginVersion: "1.0.0",
		Digest: digest, Action: "run", MemoryBytes: 16 << 20, StdoutBytes: 4 << 20, TimeoutMS: 120_000, LostAfterMS: 300_000,
		OnLost: octopus.OnLostFail,
	}
}

// run takes an offer through accept and go.
func (p *peer) run(o *wire.Offer) {
	p.t.Helper()
	p.send(o)
	accept := next[*wire.Accept](p)
	if accept.Execution != o.Execution || accept.Fence != o.Fence {
		p.t.Fatalf("accepted %+v", accept)
	}
	p.send(&wire.Go{Execution: o.Execution, Attempt: o.Attempt, Fence: o.Fence})
}

func (p *peer) ack(r *wire.Result, v wire.Verdict) {
	p.send(&wire.ResultAck{Execution: r.Execution, Fence: r.Fence, Verdict: v})
}

// startAgent runs an agent in this process until the test ends, and checks that it ends well.
func startAgent(t *testing.T, h *hub, change func(*Config)) (*Agent, func() error) {
	t.Helper()
	c := Config{Server: h.web.URL, Token: "join", Data: t.TempDir(), Slots: 4, Version: "test", StopGrace: 200 * time.Millisecond}
	if testing.Verbose() {
		c.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	if change != nil {
		change(&c)
	}
	a, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(wait):
			t.Error("the agent did not stop")
			return nil
		}
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("the agent ended with: %v", err)
		}
	})
	return a, stop
}

// testModule reads one of the sandbox's own test modules.
func testModule(t *testing.T, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "wasmplugins", "testdata", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// printer is a module that prints text and ends: (call fd_write 1 (iovec at 0) 1 0).
func printer(text string) []byte {
	leb := func(n int) []byte { return binary.AppendUvarint(nil, uint64(n)) }
	section := func(id byte, body ...byte) []byte { return append(append([]byte{id}, leb(len(body))...), body...) }
	name := func(s string) []byte { return append(leb(len(s)), s...) }
	data := binary.LittleEndian.AppendUint32(nil, 8)
	data = binary.LittleEndian.AppendUint32(data, uint32(len(text)))
	data = append(data, text...)

	var imports, exports, segment []byte
	imports = append(append(append(imports, 1), name("wasi_snapshot_preview1")...), name("fd_write")...)
	imports = append(imports, 0, 0)
	exports = append(append(append(exports, 2), name("memory")...), 2, 0)
	exports = append(append(exports, name("_start")...), 0, 1)
	segment = append([]byte{1, 0, 0x41, 0, 0x0b}, leb(len(data))...)
	segment = append(segment, data...)

	out := []byte("\x00asm\x01\x00\x00\x00")
	out = append(out, section(1, 2, 0x60, 4, 0x7f, 0x7f, 0x7f, 0x7f, 1, 0x7f, 0x60, 0, 0)...)
	out = append(out, section(2, imports...)...)
	out = append(out, section(3, 1, 1)...)
	out = append(out, section(5, append([]byte{1, 0}, leb(len(data)>>16+1)...)...)...)
	out = append(out, section(7, exports...)...)
	out = append(out, section(10, 1, 13, 0, 0x41, 1, 0x41, 0, 0x41, 1, 0x41, 0, 0x10, 0, 0x1a, 0x0b)...)
	return append(out, section(11, segment...)...)
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func contains(t *testing.T, text, part string) {
	t.Helper()
	if !strings.Contains(text, part) {
		t.Errorf("%q does not say %q", text, part)
	}
}

// until waits for something that nobody signals: files that another goroutine or process writes.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline, look := time.After(wait), time.NewTicker(10*time.Millisecond)
	defer look.Stop()
	for !ok() {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("not yet: %s", what)
		}
	}
}
