// Package runner is what happens inside a runner process: it locks itself
// down, loads one module, and runs guests one after the other. It talks to
// its pool over standard input and output only.
package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"octopus/wasmplugins/internal/frame"
	"octopus/wasmplugins/internal/lockdown"
)

// Clamp rewrites a checked module before it is compiled, into one that counts
// what it executes where fuel is set. The package above sets it; it is the same
// for compile children and runners.
type Clamp func(module []byte, fuel bool) (Module, error)

// Module is what is compiled, and what a runner has to know of it.
type Module struct {
	Code []byte
	// Reactor says that it is run by _initialize and octopus_run, in place of
	// _start.
	Reactor bool
	// Snapshot says that memory and Globals, the names of all its mutable
	// globals, are all that _initialize can change.
	Snapshot bool
	Globals  []string
}

// Probe is called after the lock-down in mode "probe" and adds to what Hello
// says. Tests replace it to try what must fail.
var Probe = func() []string { return nil }

// heap is the Go heap's soft limit in bytes; Setup.Data, the hard one, is
// well above it.
const heap = 128 << 20

// Main is the whole life of a runner; it returns an exit code.
func Main(clamp Clamp) int {
	p := &process{in: frame.NewReader(os.Stdin, false), out: frame.NewWriter(os.Stdout)}
	hello, err := p.prepare(clamp)
	if err != nil {
		hello.Error, hello.Code = err.Error(), code(err)
	}
	if p.hello(hello) != nil || err != nil || p.guest == nil {
		return boolCode(err != nil)
	}
	for {
		kind, payload, err := p.in.Next()
		if errors.Is(err, io.EOF) {
			return 0
		}
		if err != nil || kind != frame.Run {
			return 3
		}
		if err := p.guest.execute(payload); err != nil {
			return 3
		}
	}
}

func boolCode(failed bool) int {
	if failed {
		return 1
	}
	return 0
}

// process is a runner before and between executions.
type process struct {
	in    *frame.Reader
	mu    sync.Mutex // of out: the guest's goroutine, and the log's timer
	out   *frame.Writer
	guest *guest
}

// send writes one frame.
func (p *process) send(kind byte, parts ...[]byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(kind, parts...)
}

func (p *process) hello(h frame.Hello) error {
	raw, err := json.Marshal(h)
	if err != nil {
		return err
	}
	return p.send(frame.Ready, raw)
}

// fault is an error with a code for the pool.
type fault struct {
	code string
	err  error
}

func (f *fault) Error() string { return f.err.Error() }

func code(err error) string {
	if f, ok := errors.AsType[*fault](err); ok {
		return f.code
	}
	return "sandbox"
}

// prepare goes from a fresh process to one that is locked and has its module
// ready. Nothing hostile is read before the first filter is on.
func (p *process) prepare(clamp Clamp) (hello frame.Hello, err error) {
	kind, payload, err := p.in.Next()
	if err != nil || kind != frame.Init {
		return hello, fmt.Errorf("set-up: %w", errOr(err))
	}
	var s frame.Setup
	if err := json.Unmarshal(payload, &s); err != nil {
		return hello, fmt.Errorf("set-up: %w", err)
	}
	box := lockdown.New(lockdown.Config{
		CPU: s.CPU, Data: s.Data, UID: s.UID, GID: s.GID, Parent: s.Parent, Network: s.Network,
		Folder: s.Cache, WriteFolder: s.Mode == "compile", Off: s.Uncontained,
	})
	limit := int64(heap)
	if s.Mode == "compile" {
		limit = int64(s.Data) * 3 / 4
	}
	debug.SetMemoryLimit(limit)
	if s.Mode == "run" {
		// Loading a module leaves a lot behind, once. Below the limit nobody looks through it meanwhile: that took a
		// third of the time.
		defer debug.SetGCPercent(debug.SetGCPercent(-1))
	}
	folder, err := box.Enter()
	if err != nil {
		return hello, err
	}
	if s.Mode != "probe" {
		raw, err := p.in.Rest(s.Size)
		if err != nil {
			return hello, fmt.Errorf("module: %w", err)
		}
		if s.ScriptAt < 0 || s.ScriptSize < 0 || s.ScriptAt > len(raw)-s.ScriptSize {
			return hello, fmt.Errorf("script: %w", frame.ErrHostile)
		}
		script := bytes.Clone(raw[s.ScriptAt : s.ScriptAt+s.ScriptSize])
		module, err := clamp(raw, s.Fuel)
		if err != nil {
			return hello, &fault{"compile", err}
		}
		if err := p.load(s, folder, module, script, &hello); err != nil {
			return hello, err
		}
	}
	if s.Mode != "compile" {
		box.Seal()
	}
	if s.Mode == "probe" {
		hello.Missing = Probe()
	}
	has, missing := box.Report()
	hello.Has, hello.Missing = has, append(hello.Missing, missing...)
	return hello, nil
}

func errOr(err error) error {
	if err == nil {
		return frame.ErrHostile
	}
	return err
}

func (p *process) load(s frame.Setup, folder string, module Module, script []byte, hello *frame.Hello) error {
	began := time.Now()
	rt, compiled, err := compile(folder, module.Code)
	hello.CompileNS = int64(time.Since(began))
	if err != nil {
		return &fault{"compile", err}
	}
	if s.Mode == "compile" {
		return nil
	}
	p.guest, err = newGuest(p, rt, compiled, module, s.Memory)
	if err == nil {
		p.guest.script, p.guest.counts = script, s.Fuel
		if s.Fuel && runtime.GOMAXPROCS(0) < 2 {
			runtime.GOMAXPROCS(2) // the meter has to run while the guest does
		}
		if s.Repeat != nil {
			p.guest.repeat(*s.Repeat)
		}
	}
	return err
}
