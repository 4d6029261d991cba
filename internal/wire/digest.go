package wire

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
)

// DigestItems is a short digest of what an agent holds, compared on each heartbeat. Order does not matter.
// Two mismatches in a row make the server ask for a new hello: that repairs every lost message. It covers
// execution and fence; phase is left out where the server cannot know it yet (an accept under way).
func DigestItems(items []Item) string {
	if len(items) == 0 {
		return ""
	}
	sorted := slices.Clone(items)
	slices.SortFunc(sorted, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Execution, b.Execution), cmp.Compare(a.Fence, b.Fence))
	})
	h := sha256.New()
	for _, it := range sorted {
		fmt.Fprintf(h, "%s %d\n", it.Execution, it.Fence)
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
