package runner

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
)

// maxImage is the most memory that is kept of an initialised guest, in bytes;
// maxEarly of what it printed meanwhile. Where there is more, each execution
// initialises its own instance.
const (
	maxImage = 32 << 20
	maxEarly = 64 << 10
)

// pageSize is WebAssembly's.
const pageSize = 65_536

// image is what a reactor was when _initialize had returned. Each execution
// has an instance of its own, whose tables and descriptors are as new, and
// whose memory and globals are made to be these.
type image struct {
	env     []string // in which it was initialised
	memory  []byte   // without the zeroes at its end
	pages   uint32
	peak    uint64
	refused bool
	globals []uint64
	fuel    uint64 // used up by initialising
	// What it printed meanwhile, which each execution says again.
	stdout, stderr []byte
}

// initialize calls _initialize, and keeps what it made where that can be kept.
// There are no host calls and no standard input meanwhile: what they say would
// belong to this execution alone.
func (g *guest) initialize(mod api.Module, t tank, env []string) error {
	g.early, g.fixed = true, g.module.Snapshot
	g.stdout.begin()
	g.stderr.begin()
	err := t.begin(g, mod)
	if err == nil {
		_, err = mod.ExportedFunction(entryInitialize).Call(g.ctx)
	}
	g.early, g.pending = false, nil
	stdout, whole := g.stdout.end()
	stderr, all := g.stderr.end()
	if err != nil || !g.fixed || !whole || !all {
		return err
	}
	g.image = g.imageOf(mod)
	if g.image != nil {
		g.image.env, g.image.fuel = slices.Clone(env), t.spent()
		g.image.stdout, g.image.stderr = stdout, stderr
	}
	return nil
}

// imageOf is nil where memory is too large to be kept.
func (g *guest) imageOf(mod api.Module) *image {
	size := mod.Memory().Size()
	memory := bytes.TrimRight(g.mem.buf[:size], "\x00")
	if len(memory) > maxImage {
		return nil
	}
	i := &image{memory: bytes.Clone(memory), pages: size / pageSize, peak: g.mem.peak, refused: g.mem.refused}
	for _, name := range g.module.Globals {
		i.globals = append(i.globals, mod.ExportedGlobal(name).Get())
	}
	return i
}

// prepare has the next instance ready before it is asked for.
func (g *guest) prepare() {
	if g.image == nil {
		return
	}
	mod, err := g.instantiate(g.image.env)
	if err == nil && !g.restore(mod) {
		err = errors.Join(errors.New("no memory"), mod.Close(g.ctx))
	}
	if err != nil {
		g.forget()
		return
	}
	g.next = mod
}

// restore makes a fresh instance what the image says.
func (g *guest) restore(mod api.Module) bool {
	if _, ok := mod.Memory().Grow(g.image.pages - mod.Memory().Size()/pageSize); !ok {
		return false
	}
	g.mem.fill(g.image.memory)
	g.mem.dirty = uint64(g.image.pages) * pageSize
	g.mem.peak, g.mem.refused = g.image.peak, g.image.refused
	for i, name := range g.module.Globals {
		mod.ExportedGlobal(name).(api.MutableGlobal).Set(g.image.globals[i])
	}
	return true
}

// forget begins anew: without an image, and with memory as it was at first.
func (g *guest) forget() {
	g.image, g.next = nil, nil
	g.mem.reset()
}

// take returns the instance that waits, unless the execution is given another
// environment than the one in which that was initialised.
func (g *guest) take(env []string) (api.Module, error) {
	mod := g.next
	g.next = nil
	if mod == nil || slices.Equal(env, g.image.env) {
		return mod, nil
	}
	err := mod.Close(g.ctx)
	g.forget()
	return nil, err
}

// resume goes on where the image was made.
func (g *guest) resume(t tank) error {
	if t.gauge != nil {
		if t.limit < g.image.fuel {
			t.gauge.Set(1 << 63) // as negative as can be: dry
			return errDry
		}
		t.gauge.Set(t.limit - g.image.fuel)
	}
	if _, err := g.logs.Write(g.image.stderr); err != nil {
		return err
	}
	return g.out.put(g.image.stdout)
}

// tee hands on what a guest prints, and keeps it while it initialises.
type tee struct {
	to   io.Writer
	on   bool
	more bool // than is kept
	kept []byte
}

func (t *tee) Write(p []byte) (int, error) {
	if t.on {
		if t.more = t.more || len(t.kept)+len(p) > maxEarly; !t.more {
			t.kept = append(t.kept, p...)
		}
	}
	return t.to.Write(p)
}

func (t *tee) begin() { t.on, t.more, t.kept = true, false, nil }

func (t *tee) end() (kept []byte, whole bool) {
	kept, t.on, t.kept = t.kept, false, nil
	return kept, !t.more
}

// watched is a context for instantiating WASI with, so that a guest that
// changes its descriptors while it initialises is noticed: no image has them.
func (g *guest) watched() context.Context {
	return experimental.WithFunctionListenerFactory(g.ctx, watcher{g})
}

type watcher struct{ g *guest }

// changers are the functions after which descriptors may be other ones. A
// guest has the standard ones only, whose flags and rights cannot be changed:
// Go tries to whenever it begins.
var changers = []string{"fd_close", "fd_renumber", "path_open", "sock_accept"}

// NewFunctionListener listens to functions that change descriptors.
func (w watcher) NewFunctionListener(def api.FunctionDefinition) experimental.FunctionListener {
	if !slices.Contains(changers, def.Name()) {
		return nil
	}
	return experimental.FunctionListenerFunc(func(context.Context, api.Module, api.FunctionDefinition, []uint64, experimental.StackIterator) {
		if w.g.early {
			w.g.fixed = false
		}
	})
}
