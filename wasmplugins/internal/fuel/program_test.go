package fuel

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
)

// step is what the start function or one call of an export did.
type step struct {
	did   string // results or trap, and all that the module can be seen to hold
	used  int64
	ended bool // neither trapped nor ran dry
	dry   bool
}

// limit is the fuel of a step in these tests: most programs end with less, and
// those that never end do not take long.
const limit = 20_000

// trace runs the start function, then up to calls exports. It stops after the
// one that runs dry; a module that does not count must not be one that does.
func trace(t testing.TB, config wazero.RuntimeConfig, module []byte, types []int, calls int) (steps []step) {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, config)
	defer rt.Close(ctx)
	var notes []uint32
	_, err := rt.NewHostModuleBuilder("env").NewFunctionBuilder().WithFunc(func(v uint32) uint32 {
		notes = append(notes, v)
		return 3*v + 1
	}).Export("note").Instantiate(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m, err := rt.InstantiateWithConfig(ctx, module, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil && strings.HasPrefix(err.Error(), "start function") {
		_, text, _ := strings.Cut(err.Error(), "] failed: ")
		return []step{{did: text}}
	}
	if err != nil {
		t.Fatalf("%v\n%x", err, module)
	}
	tank, _ := m.ExportedGlobal(Global).(api.MutableGlobal)
	call := func(f api.Function, args ...uint64) (text string) {
		if tank != nil {
			tank.Set(limit)
		}
		results, err := f.Call(ctx, args...)
		s := step{ended: err == nil}
		text = show(results, f.Definition().ResultTypes())
		if err != nil {
			text = err.Error()
		}
		if tank != nil {
			s.used = limit - int64(tank.Get())
			s.dry = s.used > limit
		}
		s.did = text + state(m, notes)
		steps = append(steps, s)
		return text
	}
	if f := m.ExportedFunction(Start); f != nil {
		if text := call(f); !steps[0].ended {
			steps[0].did = text
			return steps
		}
	} else {
		steps = []step{{did: state(m, notes)}}
	}
	for i, typ := range types[:min(calls, len(types))] {
		args := []uint64{}
		for j, p := range genTypes[typ].params {
			args = append(args, map[byte]uint64{tI32: 5, tI64: math.MaxUint64 - 3, tF64: math.Float64bits(1.5)}[p]+uint64(j))
		}
		if call(m.ExportedFunction(fmt.Sprint("f", i)), args...); steps[len(steps)-1].dry {
			break
		}
	}
	return steps
}

func show(values []uint64, types []api.ValueType) string {
	var b strings.Builder
	for i, v := range values {
		if types[i] == api.ValueTypeF64 && math.IsNaN(math.Float64frombits(v)) {
			b.WriteString("NaN ") // its payload is nobody's promise
		} else {
			fmt.Fprintf(&b, "%x ", v)
		}
	}
	return b.String()
}

func state(m api.Module, notes []uint32) string {
	raw, _ := m.Memory().Read(0, m.Memory().Size())
	out := fmt.Sprintf("\nnotes %v, %d bytes of memory %x, globals ", notes, len(raw), sha256.Sum256(raw))
	for i := range genGlobals {
		g := m.ExportedGlobal(fmt.Sprint("g", i))
		out += show([]uint64{g.Get()}, []api.ValueType{g.Type()})
	}
	return out
}

// compare runs a program as it was, in its counting form, and in one that
// counts each instruction by itself. It returns how many steps were the same.
func compare(t testing.TB, config wazero.RuntimeConfig, p program) int {
	t.Helper()
	counting := must(Rewrite(p.module))
	after := trace(t, config, counting, p.types, len(p.types))
	for i, s := range trace(t, config, counting, p.types, len(p.types)) {
		if s != after[i] {
			t.Fatalf("step %d was %+v, then %+v\n%x", i, after[i], s, p.module)
		}
	}
	n := len(after)
	if after[n-1].dry {
		n--
	}
	if n == 0 {
		return 0
	}
	before := trace(t, config, p.module, p.types, n-1)
	exact := trace(t, config, must(rewrite(p.module, -1)), p.types, n-1)
	for i, s := range after[:n] {
		if i >= len(before) || before[i].did != s.did {
			t.Fatalf("step %d did\n%s\nwithout counting\n%+v\n%x", i, s.did, before[i:], p.module)
		}
		if s.ended && (s.used < exact[i].used || s.used > (1+spare)*exact[i].used) {
			t.Fatalf("step %d cost %d, its instructions %d\n%x", i, s.used, exact[i].used, p.module)
		}
	}
	return n
}

var engines = map[string]wazero.RuntimeConfig{
	"compiler":    wazero.NewRuntimeConfigCompiler(),
	"interpreter": wazero.NewRuntimeConfigInterpreter(),
}

// Programs do with counting what they did without, and pay for at least what
// they run.
func TestPrograms(t *testing.T) {
	t.Parallel()
	for name, config := range engines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, 2))
			steps, programs := 0, 60
			for range programs {
				in := make([]byte, 20+random.IntN(2000))
				for i := range in {
					in[i] = byte(random.Uint32())
				}
				steps += compare(t, config, generate(in))
			}
			t.Logf("%d steps were the same", steps)
			if steps < programs {
				t.Errorf("only %d steps of %d programs could be compared", steps, programs)
			}
		})
	}
}

// FuzzPrograms makes programs of any bytes and compares what they do.
func FuzzPrograms(f *testing.F) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		in := make([]byte, random.IntN(500))
		for i := range in {
			in[i] = byte(random.Uint32())
		}
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) > 4096 {
			t.Skip()
		}
		engine := "interpreter" // it is ten times as fast
		if len(in)%8 == 0 {
			engine = "compiler"
		}
		compare(t, engines[engine], generate(in))
	})
}
