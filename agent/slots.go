package agent

import "github.com/shirou/gopsutil/v4/mem"

// slotMemory is what one execution is reckoned with, in bytes: a Go guest holds 33 to 51 MB, and may take more.
const slotMemory = 256 << 20

// defaultSlots is how many executions a machine takes at a time: more than it has CPUs, because most of them wait
// for a network, but at most one for each slotMemory. memory in bytes; 0 is unknown.
func defaultSlots(cpus int, memory uint64) int {
	slots := max(8, 2*cpus)
	if memory > 0 {
		slots = min(slots, max(2, int(memory/slotMemory)))
	}
	return slots
}

// totalMemory is the machine's memory in bytes, 0 where it cannot be told.
func totalMemory() uint64 {
	m, err := mem.VirtualMemory()
	if err != nil {
		return 0
	}
	return m.Total
}
