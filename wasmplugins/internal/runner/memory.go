package runner

import "github.com/tetratelabs/wazero/experimental"

// memory is the one linear memory of a runner, mapped once at its limit and
// handed to one guest after the other, zeroed between them. It is what
// enforces the limit: the guest asks through Reallocate.
type memory struct {
	buf  []byte
	size uint64 // of the present guest
	peak uint64
	// refused says that the present guest asked for more than there is.
	refused bool
}

var _ experimental.MemoryAllocator = (*memory)(nil)

// Allocate begins with a new guest.
func (m *memory) Allocate(_, _ uint64) experimental.LinearMemory {
	m.size, m.refused = 0, false
	return m
}

// Reallocate grows within the mapping; nil refuses.
func (m *memory) Reallocate(size uint64) []byte {
	if size > uint64(len(m.buf)) {
		m.refused = true
		return nil
	}
	m.size = max(m.size, size)
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
	used := m.buf[:m.size]
	if m.size <= clearAbove || !dropPages(used[clearAbove:]) {
		clear(used)
	} else {
		clear(used[:clearAbove])
	}
	m.size, m.peak, m.refused = 0, 0, false
}
