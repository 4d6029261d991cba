package broker

import (
	"os"
	"slices"
	"strings"
)

// readOnlyDevices says which file systems are mounted read-only, by device. Options of the mount do not tell: the
// agent's own unit shows everything as read-only to it. Those of the file system, after the dash, do (proc(5)).
func readOnlyDevices() map[string]bool {
	raw, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	out := map[string]bool{}
	for line := range strings.SplitSeq(string(raw), "\n") {
		_, super, ok := strings.Cut(line, " - ")
		fields := strings.Fields(super) // type, device, options
		if ok && len(fields) == 3 {
			out[fields[1]] = slices.Contains(strings.Split(fields[2], ","), "ro")
		}
	}
	return out
}
