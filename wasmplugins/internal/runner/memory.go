package runner

import "github.com/tetratelabs/wazero/experimental"

// memory is the one linear memory of a runner, mapped once at its limit and
// handed to one guest after the other, zeroed or filled with an image between
// them. It is what enforces the limit: the guest asks through Reallocate.
type memory struct {
	buf   []byte
	dirty uint64 // of buf, this much may be other than zero
	peak  uint64
	// refused says that the present guest asked for more than there is.
	refused bool
}

var _ experimental.MemoryAllocator = (*memory)(nil)

// Allocate begins with a new guest.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory {
	m.refused = false
	return m
}

// Reallocate grows within the mapping; nil refuses.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.buf)) {
		m.refused = true
		return nil
	}
	m.dirty = max(m.dirty, size)
	m.peak = max(m.peak, size)
	return m.buf[:size:size]
}

// Free keeps the mapping for the next guest.
func (m *memory) Free() {}

// clearAbove is from where on pages go back to the kernel, which is cheaper
// than writing zeroes.
const clearAbove = 256 << 10

// reset zeroes what the last guest could have written.
func (m *memory) reset() {
	m.fill(nil)
	m.dirty, m.peak, m.refused = 0, 0, false
}

// fill makes memory begin with an image, and zero all else that is not.
func (m *memory) fill(image []byte) {
	n := copy(m.buf, image)
	rest := m.buf[n:max(uint64(n), m.dirty)]
	if kept := min(len(rest), clearAbove); dropPages(rest[kept:]) {
		rest = rest[:kept]
	}
	clear(rest)
}
