package wasmplugins

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"octopus/sdk/spec"
)

func TestCheckTellsReactors(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]bool{
		"noop": {false, false}, "reactor_state": {true, true}, "reactor_loop_run": {true, true},
		"reactor_table": {true, false}, "reactor_start": {true, false},
	} {
		raw := module(t, name)
		info, err := Check(raw, 0)
		if err != nil || info.Reactor != want[0] || info.Snapshot != want[1] {
			t.Errorf("%s: %+v, %v", name, info, err)
		}
		out, err := rewrite(raw, false)
		if err != nil || out.Reactor != want[0] || out.Snapshot != want[1] || valid(out.Code) != nil {
			t.Errorf("%s becomes reactor %t, snapshot %t, %v, %v", name, out.Reactor, out.Snapshot, err, valid(out.Code))
		}
	}
	out, _ := rewrite(module(t, "reactor_state"), false)
	if got := fmt.Sprint(out.Globals); got != "[octopus.global.0 octopus.global.2 octopus.global.3 octopus.global.4 octopus.global.5]" {
		t.Errorf("the globals that are kept: %s", got)
	}
	refused(t, "reactor_bare", module(t, "reactor_bare"), "no_start", "without octopus_run")
	refused(t, "reactor_type", module(t, "reactor_type"), "malformed", "octopus_run must take and return nothing")
}

// A module whose initialising may change what cannot be kept is not kept.
func TestWhatCannotBeKept(t *testing.T) {
	t.Parallel()
	index := func(b ...byte) []byte { return append([]byte{0x41, 0}, b...) } // i32.const 0
	for name, code := range map[string][]byte{
		"table.set":  append(index(0xd0, typeFuncref), 0x26, 0),
		"data.drop":  {0xfc, 9, 0},
		"table.init": append(index(0x41, 0, 0x41, 0), 0xfc, 12, 0, 0),
		"elem.drop":  {0xfc, 13, 0},
		"table.copy": append(index(0x41, 0, 0x41, 0), 0xfc, 14, 0, 0),
		"table.grow": append([]byte{0xd0, typeFuncref}, index(0xfc, 15, 0, 0x1a)...),
		"table.fill": append(index(0xd0, typeFuncref, 0x41, 0), 0xfc, 17, 0),
	} {
		c := checker{}
		if err := c.body(0, append(append([]byte{0}, code...), opEnd)); err != nil || c.reactor.keeps() {
			t.Errorf("%s: kept %t, %v", name, c.reactor.keeps(), err)
		}
	}
	var a reactor
	a.global(0, typeI64, true)
	a.global(1, typeV128, false)
	if !a.keeps() || len(a.globals) != 1 {
		t.Errorf("%+v", a)
	}
	for _, typ := range []byte{typeV128, typeFuncref, typeExternref} {
		other := a
		if other.global(2, typ, true); other.keeps() {
			t.Errorf("a global of type %#x is kept", typ)
		}
	}
}

// Each execution finds memory, its size, globals, the table and descriptors as
// they were once the module was initialised, whatever the one before it did and
// however it ended. The first runs in the very instance that was initialised,
// and random numbers taken there make two initialisations differ.
func TestEachExecutionFindsTheSame(t *testing.T) {
	t.Parallel()
	for _, counting := range []bool{false, true} {
		p, digests := newPool(t, PoolConfig{MaxRunners: 1, IdleAfter: time.Hour}, "reactor_state")
		first, said := "", map[string]bool{}
		for i, how := range []string{"", "", "trap", "", "exit", "exit", "", ""} {
			out := p.Run(t.Context(), Job{Digest: digests["reactor_state"], Request: []byte(how + "........"), CountFuel: counting}, nil)
			switch how {
			case "trap":
				failed(t, out, 500, spec.CodeTrap)
			case "exit":
				failed(t, out, 500, spec.CodeException)
			default:
				ok(t, out)
			}
			_, text, _ := strings.Cut(string(out.Raw), `"message":"`)
			state, random, found := strings.Cut(strings.TrimSuffix(text, `"}`), " ")
			if first == "" {
				first = state
			}
			if !found || state != first || said[random] {
				t.Errorf("run %d, counting %t: state %s, not %s; random %s", i, counting, state, first, random)
			}
			said[random] = true
			if out.PeakMemory != 64*pageSize+pageSize { // 2, then 3, then 60 more
				t.Errorf("run %d: %d bytes at most", i, out.PeakMemory)
			}
		}
	}
}

// Where nothing can be kept each execution initialises its own instance.
func TestReactorsWithoutAnImage(t *testing.T) {
	t.Parallel()
	names := []string{"reactor_table", "reactor_close", "reactor_start", "reactor_large", "reactor_call_init"}
	p, digests := newPool(t, PoolConfig{MaxRunners: 1}, names...)
	for _, name := range names {
		for _, counting := range []bool{false, true} {
			for range 3 {
				if out := p.Run(t.Context(), Job{Digest: digests[name], Request: []byte("something"), CountFuel: counting}, nil); out.Response.StatusCode != 200 {
					t.Errorf("%s, counting %t: %+v, %v", name, counting, out.Response, out.Err)
				}
			}
		}
	}
}

// What a module read and said while it was initialised is the same in each
// execution, and that of its own environment.
func TestReactorsEnvironment(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{MaxRunners: 1}, "reactor_env")
	for _, env := range []string{"A=1", "A=1", "A=2", "A=2", "A=1"} {
		var log []string
		out := p.Run(t.Context(), Job{Digest: digests["reactor_env"], Env: []string{env}, OnLog: func(lines []LogLine) {
			for _, l := range lines {
				log = append(log, l.Text)
			}
		}}, nil)
		ok(t, out)
		if out.Response.Message != env || fmt.Sprint(log) != "[early.]" {
			t.Errorf("with %s it says %q and logs %q", env, out.Response.Message, log)
		}
	}
}

// Initialising is paid for by each execution, also by those that find it done.
func TestReactorsFuel(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{MaxRunners: 1}, "reactor_env", "reactor_loop_init", "reactor_loop_run")
	job := Job{Digest: digests["reactor_env"], Env: []string{"A=1"}, CountFuel: true}
	first := p.Run(t.Context(), job, nil)
	ok(t, first)
	for _, limit := range []uint64{0, first.Fuel} {
		job.Fuel = limit
		if out := p.Run(t.Context(), job, nil); out.Response.StatusCode != 200 || out.Fuel != first.Fuel || first.Fuel < 500 { // two calls of the host
			t.Errorf("limit %d: %+v, %d units, %d at first", limit, out.Response, out.Fuel, first.Fuel)
		}
	}
	for _, limit := range []uint64{1, first.Fuel / 2, first.Fuel - 1} {
		job.Fuel = limit
		out := p.Run(t.Context(), job, nil)
		failed(t, out, 507, spec.CodeOutOfFuel)
		if out.Fuel != limit {
			t.Errorf("limit %d: %d units", limit, out.Fuel)
		}
	}
	for _, name := range []string{"reactor_loop_init", "reactor_loop_run"} {
		for range 2 {
			failed(t, p.Run(t.Context(), Job{Digest: digests[name], Fuel: 100_000, Timeout: 5 * time.Minute}, nil), 507, spec.CodeOutOfFuel)
		}
	}
	job.Fuel = 0
	ok(t, p.Run(t.Context(), job, nil))
}
