//go:build seededbugs

package seeded

import (
	"os"
	"sync"
	"sync/atomic"
)

var (
	active  atomic.Pointer[Bug] // what Set turned on
	fromEnv = sync.OnceValue(func() Bug { return Bug(os.Getenv("OCTOPUS_SEEDED_BUG")) })
)

// Is reports whether a bug is turned on, by Set or for the whole process.
func Is(b Bug) bool {
	if a := active.Load(); a != nil {
		return *a == b
	}
	return fromEnv() == b
}

// Set turns one bug on and all others off; "" turns all off. Tests that call it do not run in parallel.
func Set(b Bug) { active.Store(&b) }
