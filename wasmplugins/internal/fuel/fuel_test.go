package fuel

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name+".wasm"))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func instance(t testing.TB, rt wazero.Runtime, raw []byte) api.Module {
	t.Helper()
	m, err := rt.InstantiateWithConfig(context.Background(), raw, wazero.NewModuleConfig().WithName("").WithStartFunctions())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What ran is paid for, and a tank of exactly that is enough.
func TestBudget(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rt := wazero.NewRuntimeWithConfig(ctx, engines["compiler"])
	defer rt.Close(ctx)
	for name, n := range map[string]uint64{"sum": 1000, "while": 1000, "sieve": 5000, "collatz": 50, "fib": 12, "machine": 999, "bulk": 3} {
		t.Run(name, func(t *testing.T) {
			run := func(limit int64) (result uint64, left int64, err error) {
				m := instance(t, rt, must(Rewrite(read(t, "work"))))
				defer m.Close(ctx)
				tank := m.ExportedGlobal(Global).(api.MutableGlobal)
				tank.Set(uint64(limit))
				results, err := m.ExportedFunction(name).Call(ctx, n)
				if err == nil {
					result = results[0]
				}
				return result, int64(tank.Get()), err
			}
			const plenty = 1 << 40
			want, left, err := run(plenty)
			used := plenty - left
			if err != nil || used < int64(n) {
				t.Fatalf("%d units, %v", used, err)
			}
			plain := instance(t, rt, read(t, "work"))
			defer plain.Close(ctx)
			if got := must(plain.ExportedFunction(name).Call(ctx, n))[0]; got != want {
				t.Errorf("%x with counting, %x without", want, got)
			}
			if got, left, err := run(used); err != nil || got != want || left != 0 {
				t.Errorf("with %d units: %x, %d left, %v", used, got, left, err)
			}
			if _, left, err := run(used - 1); err == nil || left >= 0 || !strings.Contains(err.Error(), "unreachable") {
				t.Errorf("with one unit too few: %d left, %v", left, err)
			}
		})
	}
}

// Moving much costs much, in one instruction.
func TestBulkPrices(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rt := wazero.NewRuntimeWithConfig(ctx, engines["compiler"])
	defer rt.Close(ctx)
	m := instance(t, rt, must(Rewrite(read(t, "work"))))
	tank := m.ExportedGlobal(Global).(api.MutableGlobal)
	cost := func(name string, n uint64) int64 {
		tank.Set(1 << 40)
		must(m.ExportedFunction(name).Call(ctx, n))
		return 1<<40 - int64(tank.Get())
	}
	if more := cost("fill", 80_000) - cost("fill", 0); more != 80_000>>memoryShift {
		t.Errorf("filling 80000 bytes costs %d more than filling none", more)
	}
	if round, want := cost("bulk", 1), int64(2*0x1000>>memoryShift+5+priceGrow); round < want || round > want+100 {
		t.Errorf("moving 8 KiB and 5 entries, and growing, costs %d", round)
	}
}

// What a branch skips is paid for only up to spare.
func TestSkippedIsNotPaid(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rt := wazero.NewRuntimeWithConfig(ctx, engines["compiler"])
	defer rt.Close(ctx)
	m := instance(t, rt, must(Rewrite(read(t, "work"))))
	tank := m.ExportedGlobal(Global).(api.MutableGlobal)
	cost := func(n uint64) int64 {
		tank.Set(1 << 40)
		must(m.ExportedFunction("skip").Call(ctx, n))
		return 1<<40 - int64(tank.Get())
	}
	if skipping, not := cost(1), cost(0); not != 84 || skipping > 84-80+spare {
		t.Errorf("80 instructions and 4 more cost %d, the 4 alone %d", not, skipping)
	}
}

// Traps name the functions that they named before.
func TestTrapsKeepNames(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rt := wazero.NewRuntimeWithConfig(ctx, engines["compiler"])
	defer rt.Close(ctx)
	plain, counting := instance(t, rt, read(t, "work")), instance(t, rt, must(Rewrite(read(t, "work"))))
	counting.ExportedGlobal(Global).(api.MutableGlobal).Set(1000)
	for _, n := range []uint64{0, 1} {
		_, want := plain.ExportedFunction("trap").Call(ctx, n)
		_, got := counting.ExportedFunction("trap").Call(ctx, n)
		if want == nil || got == nil || got.Error() != want.Error() || !strings.Contains(got.Error(), ".trap(i32) i64") {
			t.Errorf("%v, not %v", got, want)
		}
	}
	if left := int64(counting.ExportedGlobal(Global).(api.MutableGlobal).Get()); left < 0 {
		t.Errorf("a trap of the guest's own left %d", left)
	}
}

// valid says what the compiler thinks of a module.
func valid(raw []byte) error {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, engines["interpreter"])
	defer rt.Close(ctx)
	_, err := rt.CompileModule(ctx, raw)
	return err
}

// A module that is refused for what it would reach with counting.
func TestReservedIsOutOfReach(t *testing.T) {
	t.Parallel()
	// A module of one function with this body, one local and one global.
	with := func(between []byte, body ...byte) []byte {
		out := append([]byte{}, header...)
		out = appendSection(out, secType, []byte{1, 0x60, 0, 0})
		out = appendSection(out, secFunction, []byte{1, 0})
		out = appendSection(out, secGlobal, []byte{1, typeI64, 1, opI64Const, 0, opEnd})
		out = append(out, between...)
		body = append([]byte{1, 1, typeI64}, body...)
		return appendSection(out, secCode, append([]byte{1, byte(len(body))}, body...))
	}
	of := func(body ...byte) []byte { return with(nil, body...) }
	export := func(name string, index uint32) []byte {
		return appendSection(nil, secExport, appendExport([]byte{1}, name, 3, index))
	}
	for name, c := range map[string]struct {
		raw  []byte
		says string
	}{
		"no end of fuel":            {of(opI64Const, 0, opGlobalSet, 1, opEnd), "global 1 does not exist"},
		"reading the tank":          {of(opGlobalGet, 1, 0x1a, opEnd), "global 1 does not exist"},
		"its local":                 {of(opI64Const, 0, opLocalSet, 1, opEnd), "local 1 does not exist"},
		"a long index":              {of(opI64Const, 0, opLocalSet, 0x81, 0x80, 0, opEnd), "local 1 does not exist"},
		"in dead code":              {of(opReturn, opI64Const, 0, opGlobalSet, 1, opEnd), "global 1 does not exist"},
		"exporting it":              {with(export("x", 1), opEnd), "broken"},
		"its name":                  {with(export(Global, 0), opEnd), "rename"},
		"its other name":            {with(export(Start, 0), opEnd), "rename"},
		"unknown":                   {of(0x27, opEnd), "0x27 is unknown"},
		"a tail call":               {of(0x12, 0, opEnd), "0x12 is unknown"},
		"an atomic":                 {of(0xfe, 3, 0, opEnd), "0xfe is unknown"},
		"unknown bulk":              {of(opBulk, 18, opEnd), "0xfc 18 is unknown"},
		"relaxed SIMD":              {of(opSIMD, 0x80, 2, opEnd), "0xfd 256 is unknown"},
		"too far a branch":          {of(opBr, 1, opEnd), "broken"},
		"no end":                    {of(opBlock, typeNothing, opEnd), "broken"},
		"more than an end":          {of(opEnd, opEnd), "broken"},
		"else of no if":             {of(opElse, opEnd), "broken"},
		"a start that is not there": {with(appendSection(nil, secStart, []byte{1}), opEnd), "broken"},
		"nothing":                   {nil, "broken"},
	} {
		_, err := Rewrite(c.raw)
		if err == nil || !strings.Contains(strings.ToLower(err.Error()), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	takes := append(append([]byte{}, header...), secType, 5, 1, 0x60, 1, typeI32, 0, secFunction, 2, 1, 0, secStart, 1, 0, secCode, 4, 1, 2, 0, opEnd)
	if _, err := Rewrite(takes); err == nil || valid(takes) == nil {
		t.Errorf("a start function that takes something: %v", err)
	}
	if raw := of(opI64Const, 0, opGlobalSet, 0, opEnd); valid(must(Rewrite(raw))) != nil {
		t.Error(valid(must(Rewrite(raw))))
	}
}

// rounds is a module whose f runs so many rounds of a loop without a call, and traps.
func rounds() []byte {
	out := append([]byte{}, header...)
	out = appendSection(out, secType, []byte{1, 0x60, 1, typeI32, 0})
	out = appendSection(out, secFunction, []byte{1, 0})
	out = appendSection(out, secExport, []byte{1, 1, 'f', 0, 0})
	body := []byte{0, opLoop, typeNothing, opLocalGet, 0, 0x41, 1, 0x6b, opLocalTee, 0, 0x45, opIf, typeNothing, opUnreachable, opEnd, 0x0c, 0, opEnd, opEnd}
	return appendSection(out, secCode, append([]byte{1, byte(len(body))}, body...))
}

// Who looks at the global while a loop runs sees what it has used, but for one round.
func TestLoopsAreFollowed(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	rt := wazero.NewRuntimeWithConfig(ctx, engines["compiler"])
	defer rt.Close(ctx)
	const full = 1 << 40
	used := func(n uint64) int64 {
		m := instance(t, rt, must(Rewrite(rounds())))
		defer m.Close(ctx)
		tank := m.ExportedGlobal(Global).(api.MutableGlobal)
		tank.Set(full)
		if _, err := m.ExportedFunction("f").Call(ctx, n); err == nil {
			t.Fatal("it did not trap")
		}
		return full - int64(tank.Get())
	}
	one, two, many := used(1), used(2), used(1000)
	if round := two - one; one <= 0 || round <= 0 || many != one+999*round {
		t.Errorf("one round says %d units, two %d, and a thousand %d", one, two, many)
	}
}
