package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
)

func (h *hub) refuseWith(f func(w http.ResponseWriter, path string) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refuse = f
}

func TestEnrolmentRefused(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	for token, want := range map[string]string{"spent": "This join token was used up.", "": "no join token"} {
		a, err := New(Config{Server: h.web.URL, Token: token, Data: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		err = a.Run(t.Context())
		if err == nil || octopus.CodeOf(err) == octopus.CodeInternal {
			t.Fatalf("token %q: %v", token, err)
		}
		contains(t, err.Error(), want)
	}
}

// A spent token in a unit file does no harm once the agent has its identity.
func TestTokenIsReadOnce(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	data := t.TempDir()
	_, stop := startAgent(t, h, func(c *Config) { c.Data = data })
	_, hello := h.peer(nil)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	startAgent(t, h, func(c *Config) { c.Data, c.Token, c.TokenFile = data, "spent", "/nowhere" })
	if _, again := h.peer(nil); again.Agent != hello.Agent {
		t.Errorf("it enrolled again: %s, then %s", hello.Agent, again.Agent)
	}
	info, err := os.Stat(filepath.Join(data, fileKey))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v %v", info, err)
	}
}

// The server's answer to an enrolment was lost: the same key enrols again, as the same agent.
func TestEnrolmentAnswerLost(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	var once sync.Once
	h.refuseWith(func(w http.ResponseWriter, path string) (lost bool) {
		if path == wire.PathEnrol {
			once.Do(func() { lost = true })
		}
		if lost {
			w.WriteHeader(http.StatusBadGateway)
		}
		return lost
	})
	startAgent(t, h, nil)
	h.peer(nil)
}

func TestFolderIsLocked(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	a, err := New(Config{Server: "https://x.example", Data: data})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Server: "https://x.example", Data: data}); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Errorf("a second agent: %v", err)
	}
	a.Close()
	if b, err := New(Config{Server: "https://x.example", Data: data}); err != nil {
		t.Error(err)
	} else {
		b.Close()
	}
}

func TestTwoMachinesWithOneKey(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	var log safeBuffer
	var mu sync.Mutex
	refusals := 0
	h.refuseWith(func(w http.ResponseWriter, path string) bool {
		mu.Lock()
		defer mu.Unlock()
		if path != wire.PathConnect || refusals > 0 {
			return false
		}
		refusals++
		problem(w, http.StatusConflict, "conflict", "web-01 runs on two machines.")
		return true
	})
	startAgent(t, h, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	h.peer(nil) // it tries again
	contains(t, log.String(), "web-01 runs on two machines.")
	contains(t, log.String(), "enrol it anew")
}

func TestPolicyOfTheOwner(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	text := "plugins: [probe]\nmax_memory: 32MiB\nfile_outputs: false\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	startAgent(t, h, func(c *Config) { c.Policy = file })
	p, hello := h.peer(nil)
	if hello.Facts.Policy != strings.TrimSpace(text) {
		t.Errorf("the facts say %q", hello.Facts.Policy)
	}
	digest := h.publish(printer(`{"status_code":200,"message":"x","data":[{"type":"file","name":"a","value":"x"}]}`))
	for name, change := range map[string]func(*wire.Offer){
		"plugin": func(o *wire.Offer) { o.Plugin = "echo" },
		"memory": func(o *wire.Offer) { o.MemoryBytes = 64 << 20 },
		"id":     func(o *wire.Offer) { o.Execution = "../../etc" },
	} {
		o := offer(digest)
		change(o)
		p.send(o)
		if r := next[*wire.Reject](p); r.Reason != wire.RejectPolicy || r.Message == "" || r.Free != 4 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	p.run(offer(digest))
	r := next[*wire.Result](p)
	if r.Outcome != octopus.Failed || r.Reason != spec.CodeDenied {
		t.Errorf("a file output: %+v %s", r, r.Response)
	}
	contains(t, string(r.Response), "owner of this agent")
}

func TestBadPolicyStopsTheAgent(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "policy.yaml")
	os.WriteFile(file, []byte("sandbox: strong"), 0o600)
	if _, err := New(Config{Data: t.TempDir(), Policy: file}); err == nil || !strings.Contains(err.Error(), "Line 1") {
		t.Error(err)
	}
}

func TestNoSpace(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, func(c *Config) { c.MinFree = 1 << 60 })
	p, _ := h.peer(nil)
	p.send(offer(h.publish(testModule(t, "noop"))))
	if r := next[*wire.Reject](p); r.Reason != wire.RejectNoSpace {
		t.Errorf("%+v", r)
	}
}

func TestModuleTrouble(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, nil)
	p, _ := h.peer(nil)
	noop := testModule(t, "noop")
	digest := h.publish(noop)
	h.mu.Lock()
	h.modules[digest] = append(bytes.Clone(noop), 0, 1, 0) // another module under this name
	h.mu.Unlock()
	p.run(offer(digest))
	if r := next[*wire.Result](p); r.Outcome != octopus.Failed || r.Reason != spec.CodeDigestMismatch {
		t.Errorf("another module: %+v", r)
	}
	p.run(offer(h.publish([]byte("not wasm"))))
	if r := next[*wire.Result](p); r.Outcome != octopus.Failed || r.Reason == "" {
		t.Errorf("no module: %+v", r)
	}
	p.run(offer("sha256:../../x"))
	if r := next[*wire.Result](p); r.Outcome != octopus.Failed {
		t.Errorf("no digest: %+v", r)
	}
}

func TestRestart(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, err := New(Config{Server: h.web.URL, Token: "join", Data: t.TempDir(), Slots: 2})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(context.Background()) }()
	p, _ := h.peer(nil)
	o := offer(h.publish(testModule(t, "loop")))
	o.TimeoutMS = 500
	p.run(o)
	next[*wire.Prepared](p)
	p.send(&wire.Restart{Reason: "update"})
	p.send(offer(o.Digest))
	if r := next[*wire.Reject](p); r.Reason != wire.RejectBusy {
		t.Errorf("%+v", r)
	}
	r := next[*wire.Result](p)
	p.ack(r, wire.VerdictCommitted)
	if err := <-done; !errors.Is(err, ErrRestart) || r.Outcome != octopus.TimedOut {
		t.Errorf("ended with %v, the last result is %+v", err, r)
	}
}

func TestStopKillsAfterTheGrace(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	_, stop := startAgent(t, h, nil)
	p, _ := h.peer(nil)
	p.run(offer(h.publish(testModule(t, "sleeper"))))
	next[*wire.Prepared](p)
	go stop()
	next[*wire.Draining](p)
	r := next[*wire.Result](p)
	if r.Outcome != octopus.Lost || r.Reason != "agent_stopped" {
		t.Errorf("%+v", r)
	}
	p.ack(r, wire.VerdictCommitted)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestCallsToTheServer(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, _ := startAgent(t, h, nil)
	p, _ := h.peer(nil)
	remote := a.calls.remote("exe_1", 4)
	type answer struct {
		raw json.RawMessage
		err error
	}
	ask := func() chan answer {
		out := make(chan answer, 1)
		go func() {
			raw, err := remote.Call(context.Background(), "kv.get", []byte(`{"key":"a"}`))
			out <- answer{raw, err}
		}()
		return out
	}
	got := ask()
	c := next[*wire.Call](p)
	if c.Op != "kv.get" || c.Execution != "exe_1" || c.Fence != 4 || string(c.Request) != `{"key":"a"}` {
		t.Errorf("asked %+v", c)
	}
	p.send(&wire.Reply{ID: c.ID, Response: []byte(`{"found":true,"value":7}`)})
	if r := <-got; r.err != nil || string(r.raw) != `{"found":true,"value":7}` {
		t.Errorf("%s %v", r.raw, r.err)
	}
	got = ask()
	p.send(&wire.Reply{ID: next[*wire.Call](p).ID, Error: &wire.CallError{Code: "quota", Message: "Full."}})
	if r := <-got; r.err == nil || r.err.Error() != "Full." {
		t.Errorf("%+v", r)
	}
	got = ask()
	next[*wire.Call](p)
	p.ws.CloseNow()
	if r := <-got; r.err == nil || !strings.Contains(r.err.Error(), "cannot be reached") {
		t.Errorf("%+v", r)
	}

	p, _ = h.peer(nil)
	p.send(&wire.Broadcast{Reset: true, Entries: []wire.BroadcastEntry{{Name: "limits", Value: []byte(`5`)}, {Name: "old", Value: []byte(`1`), TTLMS: 1}}})
	until(t, "the broadcast arrived", func() bool { v, ok := a.broadcast.get("limits"); return ok && string(v) == "5" })
	until(t, "the entry expires", func() bool { _, ok := a.broadcast.get("old"); return !ok })
}

func TestPrefetch(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, _ := startAgent(t, h, nil)
	p, _ := h.peer(nil)
	o := offer(h.publish(testModule(t, "noop")))
	p.send(&wire.Prefetch{Modules: []wire.Module{
		{Plugin: "probe", Version: "1", Digest: o.Digest, Memory: o.MemoryBytes},
		{Plugin: "ghost", Version: "1", Digest: wasmplugins.Digest(nil), Memory: o.MemoryBytes}, // nobody has it
	}})
	until(t, "the agent says that it has prepared what it could", func() bool {
		r, err := Status(a.folder.path)
		return err == nil && r.Prepared == 1 && r.Preparing == 0
	})
	p.run(o)
	r := next[*wire.Result](p)
	p.ack(r, wire.VerdictCommitted)
	if r.Outcome != octopus.Succeeded || r.Usage.DownloadUS != 0 {
		t.Errorf("an execution after that: %+v", r)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	data := t.TempDir()
	var out bytes.Buffer
	if err := Check(t.Context(), Config{Server: h.web.URL, Data: data}, &out); err != nil {
		t.Errorf("before enrolment: %v\n%s", err, out.String())
	}
	contains(t, out.String(), "✓ upgrade")
	contains(t, out.String(), "not enrolled yet")
	contains(t, out.String(), "✓ sandbox")
	contains(t, out.String(), "as this command finds it")

	_, stop := startAgent(t, h, func(c *Config) { c.Data = data })
	h.peer(nil)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	go func() { <-h.peers }()
	if err := Check(t.Context(), Config{Data: data}, &out); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
	contains(t, out.String(), "lets this agent in")

	h.web.Close()
	out.Reset()
	err := Check(t.Context(), Config{Data: data}, &out)
	if octopus.CodeOf(err) != octopus.CodeUnavailable {
		t.Error(err)
	}
	contains(t, out.String(), "✗ tcp")
	contains(t, out.String(), "Next:")
}

func TestStatusOfWhatDoesNotRun(t *testing.T) {
	t.Parallel()
	if _, err := Status(filepath.Join(t.TempDir(), "none")); octopus.CodeOf(err) != octopus.CodeNotFound {
		t.Error(err)
	}
	h := newHub(t)
	a, stop := startAgent(t, h, nil)
	p, _ := h.peer(nil)
	o := offer(h.publish(testModule(t, "sleeper")))
	p.run(o)
	until(t, "the status names what runs", func() bool {
		r, err := Status(a.folder.path)
		return err == nil && len(r.Executions) == 1 && r.Executions[0].Execution == o.Execution && r.Executions[0].Phase == "started" && r.Free == 3
	})
	go func() { p.ack(next[*wire.Result](p), wire.VerdictCommitted) }()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	r, err := Status(a.folder.path)
	if err != nil || r.Running || r.Connected || len(r.Executions) != 0 || r.Agent == "" || r.Name != "web-01" || r.Server != h.web.URL {
		t.Errorf("%+v %v", r, err)
	}
}

// safeBuffer is a buffer that a logger and a test share.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
