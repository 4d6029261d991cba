package agent

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"octopus/internal/disk"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// failing is a folder whose files cannot be synced once it is told so.
type failing struct {
	disk.Folder
	broken *atomic.Bool
	syncs  *atomic.Int64 // asked for since
}

func (f failing) OpenFile(name string, flag int, perm os.FileMode) (disk.File, error) {
	file, err := f.Folder.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return failingFile{file, f}, nil
}

type failingFile struct {
	disk.File
	failing
}

func (f failingFile) Sync() error {
	if f.broken.Load() {
		f.syncs.Add(1)
		return syscall.EIO
	}
	return f.File.Sync()
}

// TestFailedSync: when the journal's disk fails an agent says so and ends; the guest whose start it could not note
// does not start, and nothing more is acknowledged. When it is started again it goes on.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	data := t.TempDir()
	a, err := New(Config{Server: h.web.URL, Token: "join", Data: data, Slots: 4, Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	var broken atomic.Bool
	var syncs atomic.Int64
	a.durable = func(root *os.Root) disk.Folder { return failing{disk.Root(root), &broken, &syncs} }
	ended := make(chan error, 1)
	go func() { ended <- a.Run(t.Context()) }()
	p, hello := h.peer(nil)
	o := offer(h.publish(testModule(t, "log_progress")))
	p.send(o)
	next[*wire.Accept](p)
	broken.Store(true)
	p.send(&wire.Go{Execution: o.Execution, Attempt: o.Attempt, Fence: o.Fence})
	select {
	case err = <-ended:
	case <-time.After(wait):
		t.Fatal("the agent goes on")
	}
	if octopus.CodeOf(err) != octopus.CodeUnavailable || !strings.Contains(octopus.Sentence(err), "start the agent again") || !strings.Contains(octopus.Sentence(err), filepath.Base(data)) {
		t.Errorf("it ended with %v", err)
	}
	if n := syncs.Load(); n != 1 {
		t.Errorf("%d syncs were asked for after the first had failed", n-1)
	}
	<-p.gone
	p.mu.Lock()
	if len(p.lines) > 0 {
		t.Errorf("the guest started: %v", p.lines)
	}
	p.mu.Unlock()

	startAgent(t, h, func(c *Config) { c.Data = data })
	p, again := h.peer(func(wire.Item) wire.Answer { return wire.AnswerDiscard })
	if again.JournalID != hello.JournalID {
		t.Error("the journal is another one")
	}
	o2 := offer(o.Digest)
	p.run(o2)
	r := next[*wire.Result](p)
	if r.Outcome != octopus.Succeeded {
		t.Errorf("afterwards: %+v", r)
	}
	p.ack(r, wire.VerdictCommitted)
}
