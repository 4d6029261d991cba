package wasmplugins

import (
	"bytes"
	"context"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/tetratelabs/wazero"
)

// withData is a module of one page of memory and these segments.
func withData(list []segment, more ...byte) []byte {
	out := append(bytes.Clone(header), secMemory, 3, 1, 0, 1, secExport, 10, 1, 6, 'm', 'e', 'm', 'o', 'r', 'y', 2, 0)
	body := binary.AppendUvarint(nil, uint64(len(list)))
	for _, s := range list {
		body = append(appendSigned(append(body, 0, opI32Const), int32(s.at)), opEnd)
		body = append(binary.AppendUvarint(body, uint64(len(s.data))), s.data...)
	}
	out = append(append(out, more...), secData)
	return append(binary.AppendUvarint(out, uint64(len(body))), body...)
}

// memoryOf is what a module's memory holds once it is instantiated; nil where it cannot be.
func memoryOf(t *testing.T, raw []byte) []byte {
	t.Helper()
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer rt.Close(ctx)
	mod, err := rt.Instantiate(ctx, raw)
	if err != nil {
		return nil
	}
	all, _ := mod.Memory().Read(0, mod.Memory().Size())
	return bytes.Clone(all)
}

// Whatever the segments are, memory begins as it did, or not at all as it did not.
func TestMergedDataIsTheSame(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	merged, kept, broken := 0, 0, 0
	for range 600 {
		var list []segment
		at := uint32(random.IntN(100))
		for range random.IntN(12) {
			data := make([]byte, random.IntN(40))
			for i := range data {
				data[i] = byte(random.Uint32())
			}
			list = append(list, segment{at, data})
			at += uint32(len(data)) + uint32(random.IntN(2*maxGap))
			switch random.IntN(40) {
			case 0, 1, 2:
				at -= min(at, uint32(random.IntN(30)))
			case 3:
				at = 65_536 - uint32(random.IntN(80))
			}
		}
		if random.IntN(3) == 0 {
			random.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
		raw := withData(list)
		out := mergeData(raw)
		want, got := memoryOf(t, raw), memoryOf(t, out)
		if !bytes.Equal(want, got) {
			t.Fatalf("%v: memory differs, instantiated before %t, after %t", list, want != nil, got != nil)
		}
		switch {
		case want == nil:
			broken++
		case bytes.Equal(raw, out):
			kept++
		default:
			merged++
		}
	}
	if merged < 50 || kept < 20 || broken < 3 {
		t.Errorf("%d merged, %d kept, %d that never begin: the cases have become too few", merged, kept, broken)
	}
}

func TestMergedDataOfModules(t *testing.T) {
	t.Parallel()
	near := []segment{{8, []byte("one")}, {16, []byte("two")}}
	if out := mergeData(withData(near)); len(activeSegments(out[len(out)-17:])) != 1 {
		t.Errorf("two segments side by side became %x", out)
	}
	if raw := withData(near, secDataCount, 1, 2); !bytes.Equal(mergeData(raw), raw) {
		t.Error("segments that code may name were merged")
	}
	if list := activeSegments([]byte{1, 1, 1, 'x'}); list != nil {
		t.Errorf("a passive segment was read as %v", list)
	}
	names, _ := filepath.Glob("testdata/*.wasm")
	for _, name := range names {
		raw := must(os.ReadFile(name))
		if before, after := valid(raw), valid(mergeData(raw)); (before == nil) != (after == nil) {
			t.Errorf("%s was %v and is %v", name, before, after)
		}
	}
}
