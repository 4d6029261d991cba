package agent

import "testing"

func TestDefaultSlots(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		cpus   int
		memory uint64
		want   int
	}{
		{cpus: 2, memory: 16 << 30, want: 8},
		{cpus: 16, memory: 64 << 30, want: 32},
		{cpus: 4, memory: 1 << 30, want: 4},
		{cpus: 1, memory: 256 << 20, want: 2},
		{cpus: 2, memory: 0, want: 8},
	} {
		if got := defaultSlots(c.cpus, c.memory); got != c.want {
			t.Errorf("%d CPUs with %d MiB: %d slots, not %d", c.cpus, c.memory>>20, got, c.want)
		}
	}
}
