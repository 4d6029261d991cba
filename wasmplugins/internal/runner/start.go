package runner

import (
	"math"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"octopus/wasmplugins/internal/frame"
	"octopus/wasmplugins/internal/fuel"
)

// Entries of a module.
const (
	entryStart      = "_start"
	entryInitialize = "_initialize"
	entryRun        = "octopus_run"
)

// start runs one guest to its end, in the instance that waits for it or a
// fresh one. Where the module counts it returns what was used up.
func (g *guest) start(s frame.Start, request []byte) (used uint64, err error) {
	g.stdin.Reset(nil)
	mod, err := g.take(s.Env)
	waited := mod != nil
	if err == nil && !waited {
		mod, err = g.instantiate(s.Env)
	}
	if err != nil {
		return 0, err
	}
	defer mod.Close(g.ctx)
	t := g.tank(mod, s.Fuel)
	if waited {
		err = g.resume(t)
	}
	g.meter.begin(t)
	defer g.meter.end()
	switch {
	case waited:
	case g.module.Reactor:
		err = g.initialize(mod, t, s.Env)
	default:
		err = t.begin(g, mod)
	}
	if err == nil {
		g.stdin.Reset(request)
		entry := entryStart
		if g.module.Reactor {
			entry = entryRun
		}
		_, err = mod.ExportedFunction(entry).Call(g.ctx)
	}
	return t.used(err)
}

// instantiate makes an instance whose memory is as the module says. Only a
// start function would run in it.
func (g *guest) instantiate(env []string) (api.Module, error) {
	config := g.base
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		config = config.WithEnv(name, value)
	}
	return g.rt.InstantiateModule(g.ctx, g.compiled, config)
}

// tank is the fuel of one execution. It has no gauge where none is counted.
type tank struct {
	gauge api.MutableGlobal
	limit uint64
}

func (g *guest) tank(mod api.Module, limit uint64) tank {
	t := tank{limit: limit}
	if limit == 0 || limit > math.MaxInt64 {
		t.limit = math.MaxInt64
	}
	if gauge, ok := mod.ExportedGlobal(fuel.Global).(api.MutableGlobal); ok && g.counts {
		t.gauge = gauge
		t.gauge.Set(t.limit)
	}
	return t
}

// begin calls the start function of a module that counts.
func (t tank) begin(g *guest, mod api.Module) (err error) {
	if f := mod.ExportedFunction(fuel.Start); f != nil && t.gauge != nil {
		_, err = f.Call(g.ctx)
	}
	return err
}

// spent is what was used up so far.
func (t tank) spent() uint64 {
	if t.gauge == nil {
		return 0
	}
	return t.limit - min(t.limit, t.gauge.Get())
}

// used is what was used up in the end. A tank that is empty is why a guest
// failed.
func (t tank) used(err error) (uint64, error) {
	if t.gauge != nil && int64(t.gauge.Get()) < 0 {
		return t.limit, errDry
	}
	return t.spent(), err
}
