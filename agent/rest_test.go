package agent

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"octopus/internal/wire"
)

// An idle agent holds at most 20 MB, also after work.
func TestIdleAgentIsSmall(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || raceDetector {
		t.Skip("measured on Linux, without the race detector")
	}
	h := newHub(t)
	cmd := startProcess(t, h, t.TempDir())
	p, _ := h.peer(nil)
	p.run(offer(h.publish(testModule(t, "big_result"))))
	p.ack(next[*wire.Result](p), wire.VerdictCommitted)
	rss := 0
	until(t, "it gave its memory back", func() bool {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(raw), "VmRSS:")
		fmt.Sscan(rest, &rss)
		return rss <= 20_000
	})
	t.Logf("%d KB resident", rss)
}
