package wasmplugins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"octopus/internal/stall"
	"octopus/sdk/spec"
)

// brokerFunc is a broker of one function.
type brokerFunc func(ctx context.Context, op string, req []byte) ([]byte, error)

func (f brokerFunc) Call(ctx context.Context, op string, req []byte) ([]byte, error) {
	return f(ctx, op, req)
}

func ok(t *testing.T, out Outcome) {
	t.Helper()
	if out.Err != nil || out.Response.StatusCode != 200 {
		t.Fatalf("ended as %d %s %+v: %v", out.Response.StatusCode, out.Response.Message, out.Response.Error, out.Err)
	}
}

func failed(t *testing.T, out Outcome, status int, code string) {
	t.Helper()
	if out.Response.StatusCode != status || out.Response.Error == nil || out.Response.Error.Code != code {
		t.Fatalf("ended as %d %s %+v: %v; want %d %s", out.Response.StatusCode, out.Response.Message, out.Response.Error, out.Err, status, code)
	}
}

func TestHostCalls(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "ask", "call_wild")
	asked := ""
	answer := brokerFunc(func(_ context.Context, op string, req []byte) ([]byte, error) {
		asked = op + " " + string(req)
		return []byte(`{"status_code":200,"message":"the reply is printed in pieces"}`), nil
	})
	out := p.Run(t.Context(), Job{Digest: digests["ask"]}, answer)
	ok(t, out)
	if asked != "test.ask question" || out.HostCalls != 1 || out.Response.Message != "the reply is printed in pieces" {
		t.Errorf("asked %q, %d calls, %q", asked, out.HostCalls, out.Response.Message)
	}
	refuse := brokerFunc(func(context.Context, string, []byte) ([]byte, error) {
		return nil, &OpError{Errno: ErrnoDenied, Code: "denied", Message: "no"}
	})
	out = p.Run(t.Context(), Job{Digest: digests["ask"]}, refuse)
	if string(out.Raw) != `{"error":{"code":"denied","message":"no"}}` {
		t.Errorf("a refusal reads as %s", out.Raw)
	}
	out = p.Run(t.Context(), Job{Digest: digests["ask"]}, nil)
	if !strings.Contains(string(out.Raw), "The operation test.ask was not granted.") {
		t.Errorf("without a broker it reads as %s", out.Raw)
	}
	out = p.Run(t.Context(), Job{Digest: digests["call_wild"]}, refuse)
	ok(t, out)
	if out.HostCalls != 0 {
		t.Errorf("%d wild calls reached the pool", out.HostCalls)
	}
}

func TestBrokerIsBoundByTheDeadline(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "ask")
	stuck := brokerFunc(func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	out := p.Run(t.Context(), Job{Digest: digests["ask"], Timeout: 100 * time.Millisecond}, stuck)
	failed(t, out, 504, spec.CodeTimeout)
}

func TestLogAndProgress(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "log_progress", "log_long", "log_flood")
	var lines []string
	var said []string
	job := Job{Digest: digests["log_progress"],
		OnLog: func(batch []LogLine) {
			for _, l := range batch {
				lines = append(lines, l.Text)
			}
		},
		OnProgress: func(f float64, m string) { said = append(said, fmt.Sprintf("%.1f %s", f, m)) },
	}
	out := p.Run(t.Context(), job, nil)
	ok(t, out)
	if strings.Join(lines, "|") != "first|last" || strings.Join(said, "|") != "0.4 busy" || out.LogTruncated {
		t.Errorf("log %q, progress %q, truncated %v", lines, said, out.LogTruncated)
	}

	lines, job.Digest = nil, digests["log_long"]
	out = p.Run(t.Context(), job, nil)
	ok(t, out)
	if len(lines) != 1001 || !out.LogTruncated || lines[1000] != "… 4000 lines left out: more than 1000 a second" {
		t.Errorf("%d lines, truncated %v, the last %q", len(lines), out.LogTruncated, lines[len(lines)-1])
	}

	lines, job.Log = nil, LogCaps{Bytes: 2000, LinesPerSecond: 1e6}
	out = p.Run(t.Context(), job, nil)
	ok(t, out)
	total := 0
	for _, l := range lines {
		total += len(l)
	}
	if !out.LogTruncated || total > 2200 || lines[0] != "a line" || lines[len(lines)-1] != "a line" {
		t.Errorf("%d lines, %d bytes, truncated %v", len(lines), total, out.LogTruncated)
	}
}

// TestLineTimes: a runner's clock is not believed before the start, after now, or where it goes back.
func TestLineTimes(t *testing.T) {
	start := time.Now().Add(-time.Minute)
	e := &execution{line: start}
	at := func(d time.Duration) time.Time { return start.Add(d).Round(0) }
	for _, tc := range []struct{ said, want time.Time }{
		{at(-time.Second), start},
		{at(2 * time.Second), at(2 * time.Second)},
		{at(time.Second), at(2 * time.Second)},
		{at(3 * time.Second), at(3 * time.Second)},
	} {
		if got := e.when(tc.said); !got.Equal(tc.want) {
			t.Errorf("a line said to be of %v is of %v, want %v", tc.said, got, tc.want)
		}
	}
	if got := e.when(at(time.Hour)); got.After(time.Now()) {
		t.Errorf("a line of an hour from now is of %v", got)
	}
}

func TestBigResultSpills(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "big_result")
	out := p.Run(t.Context(), Job{Digest: digests["big_result"]}, nil)
	ok(t, out)
	if len(out.Response.Result) != 2<<20+2 || out.Raw != nil {
		t.Errorf("result of %d bytes, raw of %d", len(out.Response.Result), len(out.Raw))
	}
	raw, err := os.ReadFile(out.RawFile)
	if err != nil || len(raw) < 2<<20 {
		t.Fatalf("spilled file: %d bytes, %v", len(raw), err)
	}
	if err := os.Remove(out.RawFile); err != nil {
		t.Error(err)
	}
}

// Each guest finds its memory zeroed, also in a runner that ran another.
func TestFreshMemory(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "memory_dirty")
	for range 3 {
		out := p.Run(t.Context(), Job{Digest: digests["memory_dirty"]}, nil)
		ok(t, out)
		if out.PeakMemory != 8<<20 {
			t.Errorf("peak memory %d", out.PeakMemory)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "loop", "noop")
	ctx, cancel := context.WithCancel(t.Context())
	began, stalled := time.Time{}, stall.Watch(t)
	out := p.Run(ctx, Job{Digest: digests["loop"], OnReady: func(Prepared) error {
		time.AfterFunc(50*time.Millisecond, func() { began = time.Now(); cancel() })
		return nil
	}}, nil)
	failed(t, out, StatusCancelled, spec.CodeCancelled)
	if took := time.Since(began); took > slack+stalled() {
		t.Errorf("killed after %s", took)
	}
	out = p.Run(ctx, Job{Digest: digests["noop"]}, nil)
	failed(t, out, StatusCancelled, spec.CodeCancelled)
	if !out.Started.IsZero() {
		t.Error("started after it was cancelled")
	}
}

func TestOnReadyAborts(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "noop")
	no := errors.New("journal is full")
	out := p.Run(t.Context(), Job{Digest: digests["noop"], OnReady: func(Prepared) error { return no }}, nil)
	if !errors.Is(out.Err, no) || !out.Started.IsZero() || out.Response.Succeeded() {
		t.Errorf("ended as %+v", out)
	}
	ok(t, p.Run(t.Context(), Job{Digest: digests["noop"]}, nil))
}

func TestCooperativeCancel(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "call_flood")
	flag := make(chan struct{})
	close(flag)
	out := p.Run(t.Context(), Job{Digest: digests["call_flood"], Timeout: time.Second, Cancelled: flag}, nil)
	failed(t, out, 504, spec.CodeTimeout) // the flag alone stops nothing
	if out.HostCalls < 10 || out.HostCalls > callBurst+2*callRate {
		t.Errorf("%d host calls", out.HostCalls)
	}
}

func TestManyJobsShareFewRunners(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{MaxRunners: 2}, "noop", "memory_dirty", "log_progress")
	names := []string{"noop", "memory_dirty", "log_progress"}
	var wg sync.WaitGroup
	for i := range 60 {
		wg.Go(func() {
			out := p.Run(t.Context(), Job{Digest: digests[names[i%3]]}, nil)
			if out.Err != nil || out.Response.StatusCode != 200 {
				t.Errorf("job %d: %+v", i, out)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.count > 2 {
				t.Errorf("%d runners", p.count)
			}
		})
	}
	wg.Wait()
}

func TestMemoryCapStillLetsOneRun(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{MaxMemory: 1}, "noop")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { ok(t, p.Run(t.Context(), Job{Digest: digests["noop"]}, nil)) })
	}
	wg.Wait()
}

func TestIdleRunnersEnd(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{IdleAfter: 40 * time.Millisecond}, "noop")
	ok(t, p.Run(t.Context(), Job{Digest: digests["noop"]}, nil))
	p.mu.Lock()
	var gone chan struct{}
	for c := range p.children {
		gone = c.gone
	}
	p.mu.Unlock()
	if gone != nil {
		<-gone
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) != 0 || p.count != 0 || p.memory != 0 {
		t.Errorf("%d idle, count %d, memory %d", len(p.idle), p.count, p.memory)
	}
}

// A runner that dies between two jobs is not handed out, and one that is
// killed from outside while it runs ends its job.
func TestRunnerDies(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "noop", "loop")
	ok(t, p.Run(t.Context(), Job{Digest: digests["noop"]}, nil))
	for _, c := range p.childList() {
		_ = c.cmd.Process.Kill()
		<-c.gone
	}
	ok(t, p.Run(t.Context(), Job{Digest: digests["noop"]}, nil))
	before := p.childList()
	out := p.Run(t.Context(), Job{Digest: digests["loop"], OnReady: func(Prepared) error {
		for _, c := range p.childList() {
			if c != before[0] {
				time.AfterFunc(20*time.Millisecond, func() { _ = c.cmd.Process.Kill() })
			}
		}
		return nil
	}}, nil)
	failed(t, out, 500, spec.CodeSandbox)
}

func (p *Pool) childList() []*child {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []*child
	for c := range p.children {
		list = append(list, c)
	}
	return list
}

func TestCloseEndsJobs(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{MaxRunners: 1}, "loop", "noop")
	done := make(chan Outcome, 2)
	started := make(chan struct{})
	go func() {
		done <- p.Run(t.Context(), Job{Digest: digests["loop"], OnReady: func(Prepared) error { close(started); return nil }}, nil)
	}()
	<-started
	go func() { done <- p.Run(t.Context(), Job{Digest: digests["noop"]}, nil) }()
	for waiting := 0; waiting == 0; {
		p.mu.Lock()
		waiting = len(p.waiting)
		p.mu.Unlock()
	}
	p.Close()
	for range 2 {
		failed(t, <-done, StatusCancelled, spec.CodeCancelled)
	}
	p.Close()
	out := p.Run(t.Context(), Job{Digest: digests["noop"]}, nil)
	if !errors.Is(out.Err, ErrClosed) {
		t.Errorf("a closed pool answers %v", out.Err)
	}
}

func TestPrepareOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	loads := 0
	raw := module(t, "noop")
	p, digests := newPool(t, PoolConfig{Load: func(context.Context, string) ([]byte, error) {
		mu.Lock()
		defer mu.Unlock()
		loads++
		return raw, nil
	}}, "noop")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := p.Prepare(t.Context(), digests["noop"], 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	again, err := p.Prepare(t.Context(), digests["noop"], 0)
	if err != nil || again.Compiled || loads > 8 {
		t.Errorf("prepared again: %+v, %v, %d loads", again, err, loads)
	}
}

func TestWrongDigest(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{Load: func(context.Context, string) ([]byte, error) {
		return module(t, "loop"), nil
	}}, "noop")
	failed(t, p.Run(t.Context(), Job{Digest: digests["noop"]}, nil), 502, spec.CodeDigestMismatch)
	if out := p.Run(t.Context(), Job{Digest: "../../etc"}, nil); out.Response.Succeeded() || out.Err == nil {
		t.Errorf("a digest that is a path: %+v", out)
	}
}

func TestDamagedCacheIsMadeAgain(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "noop")
	if _, err := p.Prepare(t.Context(), digests["noop"], 0); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(p.cache.folder(codeForm(t, p, digests["noop"])), "*", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("cache holds %v, %v", files, err)
	}
	for _, damage := range []func() error{
		func() error { return os.WriteFile(files[0], []byte("WAZEVO and no more"), 0o600) },
		func() error { return os.Remove(files[0]) },
		func() error { return os.WriteFile(filepath.Join(filepath.Dir(files[0]), "extra"), nil, 0o600) },
	} {
		_ = filepath.Walk(p.cache.folder(codeForm(t, p, digests["noop"])), func(path string, _ os.FileInfo, _ error) error { return os.Chmod(path, 0o700) })
		if err := damage(); err != nil {
			t.Fatal(err)
		}
		for _, c := range p.childList() {
			_ = c.cmd.Process.Kill()
			<-c.gone
		}
		ok(t, p.Run(t.Context(), Job{Digest: digests["noop"]}, nil))
	}
}

func TestRequestAndEnvironmentReachTheGuest(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "echo_stdin")
	request := append([]byte(`{"status_code":200,"message":"`), bytes.Repeat([]byte("x"), 60_000)...)
	request = append(request, `"}`...)
	out := p.Run(t.Context(), Job{Digest: digests["echo_stdin"], Request: request, Env: []string{"TZ=UTC"}}, nil)
	ok(t, out)
	if !bytes.Equal(out.Raw, request) {
		t.Errorf("%d of %d bytes came back", len(out.Raw), len(request))
	}
}

func TestTrapsNameFunctions(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "table_hog")
	out := p.Run(t.Context(), Job{Digest: digests["table_hog"]}, nil)
	failed(t, out, 500, spec.CodeTrap)
	if details := string(out.Response.Error.Details); !strings.Contains(details, "grow_forever") {
		t.Errorf("details %s", details)
	}
}

// Commands that run side by side share a folder.
func TestPoolsShareAFolder(t *testing.T) {
	t.Parallel()
	dir, raw := t.TempDir(), module(t, "noop")
	s := shelf{Digest(raw): raw}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p, err := NewPool(PoolConfig{Dir: dir, Executable: []string{os.Args[0], "runner"}, Load: s.load})
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Close()
			if out := p.Run(t.Context(), Job{Digest: Digest(raw)}, nil); out.Response.StatusCode != 200 {
				t.Errorf("%+v", out)
			}
		})
	}
	wg.Wait()
	old := filepath.Join(dir, "spill", "stdout-old")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	sweep(filepath.Dir(old))
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("an old leftover stays: %v", err)
	}
}
