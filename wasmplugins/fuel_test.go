package wasmplugins

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tetratelabs/wazero"

	"octopus/sdk/spec"
	"octopus/wasmplugins/internal/fuel"
)

// valid says what the compiler thinks of a module.
func valid(raw []byte) error {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer rt.Close(ctx)
	_, err := rt.CompileModule(ctx, raw)
	return err
}

// Guests that never end are stopped by a limit long before their time is up,
// always at the same instruction.
func TestOutOfFuel(t *testing.T) {
	t.Parallel()
	names := []string{"loop", "exponential", "start_loop", "recursion", "bulk_fill", "bulk_copy", "table_fill", "indirect"}
	p, digests := newPool(t, PoolConfig{MaxRunners: 3}, append(names, "noop")...)
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := p.Run(t.Context(), Job{Digest: digests[name], Fuel: 500_000, Timeout: 5 * time.Minute}, nil)
			failed(t, out, 507, spec.CodeOutOfFuel)
			if out.Fuel != 500_000 || out.Err != nil || out.Response.MayRetry() || !strings.Contains(out.Response.Message, "500000 units") {
				t.Errorf("%d units, %v: %+v", out.Fuel, out.Err, out.Response)
			}
			// The runner is as good as new.
			if out := p.Run(t.Context(), Job{Digest: digests["noop"], Fuel: 1000}, nil); out.Response.StatusCode != 200 || out.Fuel == 0 {
				t.Errorf("noop afterwards: %+v, %d units", out.Response, out.Fuel)
			}
		})
	}
}

// Of a guest that is killed it is known what it used at least, also where it loops without a call.
func TestFuelOfTheKilled(t *testing.T) {
	t.Parallel()
	p, digests := newPool(t, PoolConfig{}, "loop")
	for name, limit := range map[string]uint64{"with a limit": math.MaxInt64, "counted only": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Where the machine is busy a guest may be killed before anybody could look at it: then it gets more time.
			for timeout := 500 * time.Millisecond; ; timeout *= 2 {
				out := p.Run(t.Context(), Job{Digest: digests["loop"], Fuel: limit, CountFuel: true, Timeout: timeout}, nil)
				failed(t, out, 504, spec.CodeTimeout)
				if out.Fuel > 1000 && out.FuelAtLeast {
					return
				}
				if out.FuelAtLeast != (out.Fuel > 0) || timeout > 5*time.Minute {
					t.Fatalf("after %s: %d units, at least: %v", timeout, out.Fuel, out.FuelAtLeast)
				}
			}
		})
	}
}

// The same work costs the same, in whatever runner; without a limit or a wish
// for it nothing is counted.
func TestFuelIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	a, digests := newPool(t, PoolConfig{}, "echo_stdin", "start_trap")
	b, _ := newPool(t, PoolConfig{}, "echo_stdin")
	job := Job{Digest: digests["echo_stdin"], Request: []byte(`{"status_code":200,"message":"x"}`), CountFuel: true}
	want := a.Run(t.Context(), job, nil)
	if want.Response.StatusCode != 200 || want.Fuel == 0 {
		t.Fatalf("%+v, %d units", want.Response, want.Fuel)
	}
	for range 3 {
		for _, p := range []*Pool{a, b} {
			if out := p.Run(t.Context(), job, nil); out.Fuel != want.Fuel || out.Response.StatusCode != 200 {
				t.Errorf("%+v, %d units, not %d", out.Response, out.Fuel, want.Fuel)
			}
		}
	}
	job.Fuel = want.Fuel
	if out := a.Run(t.Context(), job, nil); out.Response.StatusCode != 200 || out.Fuel != want.Fuel {
		t.Errorf("with exactly that limit: %+v, %d units", out.Response, out.Fuel)
	}
	job.Fuel--
	failed(t, a.Run(t.Context(), job, nil), 507, spec.CodeOutOfFuel)
	job.Fuel, job.CountFuel = 0, false
	if out := a.Run(t.Context(), job, nil); out.Response.StatusCode != 200 || out.Fuel != 0 {
		t.Errorf("not counting: %+v, %d units", out.Response, out.Fuel)
	}
	trapped := a.Run(t.Context(), Job{Digest: digests["start_trap"], CountFuel: true}, nil)
	failed(t, trapped, 500, spec.CodeTrap)
	if want.FuelAtLeast || trapped.FuelAtLeast != (trapped.Fuel > 0) {
		t.Errorf("what ended used at least %v, what trapped %d at least %v", want.FuelAtLeast, trapped.Fuel, trapped.FuelAtLeast)
	}
}

// A module may have the names that counting needs, as long as nobody counts.
func TestReservedExports(t *testing.T) {
	t.Parallel()
	raw := module(t, "noop")
	var out []byte
	_ = sections(raw, func(s section) bool {
		if s.id == secExport {
			body := append([]byte{s.body[0] + 1}, s.body[1:]...)
			body = append(append(append(body, byte(len(fuel.Global))), fuel.Global...), 2, 0)
			out = append(append(append(out, raw[:s.start]...), secExport, byte(len(body))), body...)
			out = append(out, raw[s.end:]...)
		}
		return true
	})
	s := shelf{Digest(out): out}
	p, _ := newPool(t, PoolConfig{Load: s.load})
	if out := p.Run(t.Context(), Job{Digest: Digest(out)}, nil); out.Response.StatusCode != 200 {
		t.Errorf("%+v, %v", out.Response, out.Err)
	}
	refused := p.Run(t.Context(), Job{Digest: Digest(out), Fuel: 1}, nil)
	failed(t, refused, 422, spec.CodeRefused)
	if !strings.Contains(refused.Response.Message, "Rename the export") {
		t.Error(refused.Response.Message)
	}
}

// FuzzFuel takes any bytes. A module that passed the checks stays as valid as
// it was: counting refuses none that the compiler takes, and makes none valid.
func FuzzFuel(f *testing.F) {
	for _, pattern := range []string{"testdata/*.wasm", "internal/fuel/testdata/*.wasm"} {
		names, _ := filepath.Glob(pattern)
		for _, name := range names {
			if raw := must(os.ReadFile(name)); len(raw) < 8<<10 {
				f.Add(raw)
			}
		}
	}
	f.Add(withData([]segment{{8, []byte("one")}, {16, []byte("two")}, {4, []byte{0, 1}}}))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 16<<10 {
			t.Skip()
		}
		out, err := fuel.Rewrite(mergeData(raw))
		if _, refused := Check(raw, 0); refused != nil {
			return
		}
		before := valid(raw)
		switch {
		case err != nil && before == nil && !strings.Contains(err.Error(), "Rename the export"):
			t.Fatalf("a valid module is refused: %v", err)
		case err != nil:
		case before == nil && valid(out) != nil:
			t.Fatalf("a valid module becomes: %v", valid(out))
		case before != nil && valid(out) == nil:
			t.Fatalf("counting makes a module valid that is not: %v", before)
		}
	})
}
