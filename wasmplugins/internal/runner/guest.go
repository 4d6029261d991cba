package runner

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"

	"octopus/wasmplugins/internal/frame"
)

// clockStep is the precision of the guest's clocks. A finer one measures
// what other processes do.
const clockStep = time.Millisecond

// maxWorkers compile one module side by side. A Go module takes seconds.
const maxWorkers = 4

// compile compiles a module, or loads it from the folder's cache.
func compile(folder string, module []byte) (wazero.Runtime, wazero.CompiledModule, error) {
	ctx := experimental.WithCompilationWorkers(context.Background(), min(maxWorkers, runtime.NumCPU()))
	cache, err := wazero.NewCompilationCacheWithDir(folder)
	if err != nil {
		return nil, nil, fmt.Errorf("compilation cache: %w", err)
	}
	// The deadline is SIGKILL; WithCloseOnContextDone would cost 4 to 18
	// times on loops and miss the bad cases. The memory limit is memory's.
	config := wazero.NewRuntimeConfigCompiler().
		WithCoreFeatures(api.CoreFeaturesV2).
		WithDebugInfoEnabled(false).
		WithCompilationCache(cache)
	rt := wazero.NewRuntimeWithConfig(ctx, config)
	compiled, err := rt.CompileModule(ctx, module)
	if err != nil {
		return nil, nil, fmt.Errorf("compiling: %w", err)
	}
	return rt, compiled, nil
}

// guest runs executions of one module, one at a time, each in an instance of
// its own.
type guest struct {
	p        *process
	rt       wazero.Runtime
	module   Module
	compiled wazero.CompiledModule
	base     wazero.ModuleConfig
	ctx      context.Context
	mem      *memory
	logs     *logs
	out      output
	stdin    bytes.Reader
	stdout   tee
	stderr   tee
	pending  []byte // the reply that the guest may read
	counts   bool   // fuel
	meter    *meter // of it
	script   []byte // what the operation "source" answers; empty: there is none

	early bool       // the guest initialises
	fixed bool       // nothing that it did meanwhile is beyond an image
	image *image     // of a reactor; nil until there is one, and where there can be none
	next  api.Module // an instance that was made from it, for the next execution
}

func newGuest(p *process, rt wazero.Runtime, compiled wazero.CompiledModule, module Module, limit uint64) (*guest, error) {
	mem, err := newMemory(limit)
	if err != nil {
		return nil, fmt.Errorf("guest memory: %w", err)
	}
	g := &guest{p: p, rt: rt, module: module, compiled: compiled, mem: mem, logs: newLogs(p.send), meter: newMeter(p.send)}
	g.out.send = p.send
	g.stdout.to, g.stderr.to = &g.out, g.logs
	g.ctx = experimental.WithMemoryAllocator(context.Background(), mem)
	if _, err := wasi_snapshot_preview1.Instantiate(g.watched(), rt); err != nil {
		return nil, fmt.Errorf("WASI: %w", err)
	}
	if err := g.hostModule(); err != nil {
		return nil, fmt.Errorf("octopus_v1: %w", err)
	}
	began := time.Now()
	g.base = wazero.NewModuleConfig().
		WithName("").
		WithStartFunctions().
		WithArgs("plugin").
		WithStdin(&g.stdin).
		WithStdout(&g.stdout).
		WithStderr(&g.stderr).
		WithRandSource(rand.Reader).
		WithWalltime(func() (int64, int32) {
			now := time.Now().Truncate(clockStep)
			return now.Unix(), int32(now.Nanosecond())
		}, sys.ClockResolution(clockStep)).
		WithNanotime(func() int64 {
			return int64(time.Since(began).Truncate(clockStep))
		}, sys.ClockResolution(clockStep)).
		WithNanosleep(func(ns int64) {
			g.logs.Flush()
			time.Sleep(time.Duration(ns))
		})
	return g, nil
}

// errDry is a guest that used up its fuel.
var errDry = errors.New("out of fuel")

// errOutput ends a guest that prints too much.
var errOutput = errors.New("too much output")

// output is the guest's standard output. It goes to the pool in pieces.
type output struct {
	send  func(kind byte, parts ...[]byte) error
	buf   []byte
	left  uint64
	overs bool
}

// Write panics beyond the cap: an error would only be an errno to the guest.
func (o *output) Write(p []byte) (int, error) {
	if err := o.put(p); err != nil {
		panic(err)
	}
	return len(p), nil
}

// put sends as much as may be sent.
func (o *output) put(p []byte) error {
	if uint64(len(p)) > o.left {
		o.overs = true
		o.add(p[:o.left])
		o.left = 0
		return errOutput
	}
	o.left -= uint64(len(p))
	o.add(p)
	return nil
}

func (o *output) add(p []byte) {
	for len(p) > 0 {
		n := min(len(p), frame.MaxPiece-len(o.buf))
		o.buf = append(o.buf, p[:n]...)
		if p = p[n:]; len(o.buf) == frame.MaxPiece {
			_ = o.send(frame.Out, o.buf)
			o.buf = o.buf[:0]
		}
	}
}

// execute runs one guest. The error is the pipe's.
func (g *guest) execute(payload []byte) error {
	start, request, err := frame.ParseStart(payload)
	if err != nil {
		return err
	}
	g.out.buf, g.out.left, g.out.overs = g.out.buf[:0], start.Stdout, false
	g.logs.begin(int(start.LogBytes), int(start.LogRate))
	g.pending = nil
	began := time.Now()
	used, err := g.start(start, bytes.Clone(request)) // the frame's buffer is reused by the next host call
	f := g.finish(err)
	f.Fuel = used
	f.GuestNS = int64(time.Since(began))
	f.Peak, f.Refused = g.mem.peak, g.mem.refused
	f.LogCut = g.logs.end()
	if g.image == nil {
		g.mem.reset()
	}
	if err := g.p.finish(g.out.buf, f); err != nil {
		return err
	}
	if cap(g.out.buf) > 64<<10 {
		g.out.buf = nil
	}
	g.prepare()
	return nil
}

// finish says how a guest ended.
func (g *guest) finish(err error) frame.Finish {
	var exit *sys.ExitError
	switch {
	case g.out.overs:
		return frame.Finish{Fault: "output_limit"}
	case err == nil:
		return frame.Finish{}
	case errors.Is(err, errDry):
		return frame.Finish{Fault: "out_of_fuel"}
	case errors.As(err, &exit):
		return frame.Finish{Exit: exit.ExitCode()}
	}
	text := err.Error()
	return frame.Finish{Fault: "trap", Message: strings.ToValidUTF8(text[:min(len(text), 4096)], "?")}
}

// finish sends the rest of the output and how it ended, in one write.
func (p *process) finish(rest []byte, f frame.Finish) error {
	raw, err := json.Marshal(f)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(rest) > 0 {
		if err := p.out.Queue(frame.Out, rest); err != nil {
			return err
		}
	}
	return p.out.Write(frame.End, raw)
}

// gone ends the process: the pool is.
func gone(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		fmt.Fprintln(os.Stderr, "pipe to the pool:", err)
	}
	os.Exit(0)
}
