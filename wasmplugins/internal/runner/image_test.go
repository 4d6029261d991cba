package runner

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"testing"

	"octopus/wasmplugins/internal/frame"
)

// newReactor is a guest of testdata/reactor.wat, with so many pages at most.
func newReactor(t *testing.T, pages uint64) *guest {
	t.Helper()
	raw, err := os.ReadFile("testdata/reactor.wasm")
	if err != nil {
		t.Fatal(err)
	}
	rt, compiled, err := compile(t.TempDir(), raw)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rt.Close(t.Context()) })
	p := &process{out: frame.NewWriter(io.Discard)}
	g, err := newGuest(p, rt, compiled, Module{Code: raw, Reactor: true, Snapshot: true,
		Globals: []string{"octopus.global.0", "octopus.global.1"}}, pages*pageSize)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// grown has the guest grow by so many pages and change all that it can.
func (g *guest) grown(t *testing.T, pages uint32) {
	t.Helper()
	start := frame.Start{Stdout: 1 << 20, LogBytes: 1 << 20, LogRate: 1000}
	if err := g.execute(binary.LittleEndian.AppendUint32(start.Append(nil), pages)); err != nil {
		t.Fatal(err)
	}
}

// Between two executions the instance that waits is what the image says, to the
// last byte of memory, and whatever may be grown into is zero.
func TestImageIsRestored(t *testing.T) {
	t.Parallel()
	g := newReactor(t, 600)
	want := make([]byte, 600*pageSize)
	copy(want[400_000:], []byte{5, 5, 5})
	for i, pages := range []uint32{0, 90, 3, 0, 591, 50, 0} { // 591 is refused
		g.grown(t, pages)
		switch {
		case g.image == nil || g.next == nil:
			t.Fatalf("run %d: nothing waits", i)
		case g.image.pages != 10 || len(g.image.memory) != 400_003:
			t.Fatalf("run %d: an image of %d pages, %d bytes", i, g.image.pages, len(g.image.memory))
		case g.next.Memory().Size() != 10*pageSize:
			t.Errorf("run %d: memory of %d bytes", i, g.next.Memory().Size())
		case !bytes.Equal(g.mem.buf, want):
			t.Errorf("run %d: memory is not what it was", i)
		case uint32(g.next.ExportedGlobal("octopus.global.0").Get()) != 1<<32-1, int64(g.next.ExportedGlobal("octopus.global.1").Get()) != -2:
			t.Errorf("run %d: globals are not what they were", i)
		case g.mem.peak != 10*pageSize || g.mem.refused:
			t.Errorf("run %d: %d bytes at most, refused %t", i, g.mem.peak, g.mem.refused)
		}
	}
	mod := g.next
	if _, ok := mod.Memory().Grow(520); !ok || !mod.Memory().WriteByte(maxImage-1, 1) || g.imageOf(mod) == nil {
		t.Error("there is no image of 32 MiB")
	}
	if mod.Memory().WriteByte(maxImage, 1); g.imageOf(mod) != nil {
		t.Error("there is an image of more than 32 MiB")
	}
	g.forget()
	if !bytes.Equal(g.mem.buf, make([]byte, len(want))) {
		t.Error("memory is not empty")
	}
}

// Memory is filled whatever was in it, small or large.
func TestMemoryIsFilled(t *testing.T) {
	t.Parallel()
	m, err := newMemory(64 * pageSize)
	if err != nil {
		t.Fatal(err)
	}
	for _, used := range []uint64{1, 3, 10, 64} {
		for _, size := range []int{0, 1, 5000, pageSize, 7*pageSize + 1, 64 * pageSize} {
			if uint64(size) > used*pageSize {
				continue
			}
			for i := range m.Reallocate(used * pageSize) {
				m.buf[i] = 0xff
			}
			want := make([]byte, len(m.buf))
			copy(want, bytes.Repeat([]byte{7}, size))
			m.fill(want[:size])
			if !bytes.Equal(m.buf, want) {
				t.Errorf("an image of %d bytes after %d pages", size, used)
			}
			m.reset()
			if !bytes.Equal(m.buf, make([]byte, len(m.buf))) || m.dirty != 0 {
				t.Errorf("memory is not empty after %d pages", used)
			}
		}
	}
}
