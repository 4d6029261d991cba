package agent

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

func TestWholePath(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, _ := startAgent(t, h, nil)
	p, hello := h.peer(nil)
	if hello.Facts.CPUs == 0 || hello.Facts.Sandbox.Level == "" || hello.Free != 4 || !hello.End || hello.JournalID == "" {
		t.Errorf("the hello says %+v", hello)
	}
	o := offer(h.publish(testModule(t, "log_progress")))
	p.run(o)
	prepared := next[*wire.Prepared](p)
	if !prepared.Started || prepared.Execution != o.Execution {
		t.Errorf("prepared: %+v", prepared)
	}
	r := next[*wire.Result](p)
	if r.Outcome != octopus.Succeeded || r.Attempt != 1 || r.LastLogSeq == 0 || r.Usage.GuestUS == 0 || r.Usage.DownloadUS == 0 {
		t.Errorf("the result is %+v", r)
	}
	var response struct {
		StatusCode int `json:"status_code"`
	}
	if json.Unmarshal(r.Response, &response) != nil || response.StatusCode != 200 {
		t.Errorf("the response is %s", r.Response)
	}
	p.mu.Lock()
	if strings.Join(p.lines, "|") != "first|last" {
		t.Errorf("the log is %q", p.lines)
	}
	p.mu.Unlock()
	p.ack(r, wire.VerdictCommitted)

	// The slot is free again, and the warm module is not fetched again.
	o2 := offer(o.Digest)
	p.run(o2)
	r = next[*wire.Result](p)
	if r.Outcome != octopus.Succeeded || r.Usage.DownloadUS != 0 || r.Free != 4 {
		t.Errorf("the second result is %+v", r)
	}
	p.ack(r, wire.VerdictCommitted)

	until(t, "the status file says that it is connected", func() bool {
		r, err := Status(a.folder.path)
		return err == nil && r.Running && r.Connected && r.Name == "web-01" && r.Sandbox != "" && r.Server == h.web.URL
	})
}

func TestFilesAppearAfterTheCommit(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	a, _ := startAgent(t, h, nil)
	p, _ := h.peer(nil)
	digest := h.publish(printer(`{"status_code":200,"message":"ok","data":[
		{"type":"file","name":"report.txt","value":"hello"},{"type":"db","name":"row","value":1}]}`))
	o := offer(digest)
	p.run(o)
	r := next[*wire.Result](p)
	file := filepath.Join(a.folder.path, "files", o.Task, "report.txt")
	if _, err := os.Stat(file); err == nil {
		t.Error("the file is there before the server has the result")
	}
	p.ack(r, wire.VerdictCommitted)
	o2 := offer(digest)
	p.run(o2) // by the time it is accepted the ack was handled
	if raw, err := os.ReadFile(file); err != nil || string(raw) != "hello" {
		t.Errorf("the file holds %q: %v", raw, err)
	}
	r = next[*wire.Result](p)
	p.ack(r, wire.VerdictStale)
	o3 := offer(digest)
	p.send(o3)
	next[*wire.Accept](p)
	if _, err := os.Stat(filepath.Join(a.folder.path, "files", o2.Task, "report.txt")); err == nil {
		t.Error("a file of a stale result was put in place")
	}
	late, _ := filepath.Glob(filepath.Join(a.folder.path, "files", "late", o2.Execution+"*"))
	if len(late) != 1 {
		t.Errorf("late results: %v", late)
	}
	p.send(&wire.Withdrawn{Execution: o3.Execution, Fence: o3.Fence})
}

func TestLargeResultGoesByHash(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, nil)
	p, _ := h.peer(nil)
	o := offer(h.publish(testModule(t, "big_result")))
	p.run(o)
	r := next[*wire.Result](p)
	if r.Outcome != octopus.Succeeded || r.Response != nil || r.BlobSHA256 == "" {
		t.Fatalf("the result is %+v", r)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if blob := h.blobs[r.BlobSHA256]; len(blob) < 2<<20 || hexSum(blob) != r.BlobSHA256 {
		t.Errorf("the blob has %d bytes", len(h.blobs[r.BlobSHA256]))
	}
	p.ack(r, wire.VerdictCommitted)
}

func TestCancel(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, nil)
	p, _ := h.peer(nil)
	digest := h.publish(testModule(t, "sleeper"))
	for _, grace := range []int64{0, 100} {
		o := offer(digest)
		p.run(o)
		next[*wire.Prepared](p)
		p.send(&wire.Cancel{Execution: o.Execution, Fence: o.Fence, Reason: "no longer needed", GraceMS: grace})
		next[*wire.CancelAck](p)
		r := next[*wire.Result](p)
		if r.Outcome != octopus.Cancelled {
			t.Errorf("grace %d: the result is %+v", grace, r)
		}
		p.ack(r, wire.VerdictCommitted)
	}
	// Before the go it simply never starts.
	o := offer(digest)
	p.send(o)
	next[*wire.Accept](p)
	p.send(&wire.Cancel{Execution: o.Execution, Fence: o.Fence})
	next[*wire.CancelAck](p)
	p.send(&wire.Go{Execution: o.Execution, Fence: o.Fence, Attempt: 1})
	p.run(offer(h.publish(testModule(t, "noop"))))
	if r := next[*wire.Result](p); r.Execution == o.Execution {
		t.Error("a cancelled execution started")
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, nil)
	p, _ := h.peer(nil)
	o := offer(h.publish(testModule(t, "loop")))
	o.TimeoutMS = 150
	p.run(o)
	if r := next[*wire.Result](p); r.Outcome != octopus.TimedOut || r.Reason != "timeout" || r.ElapsedMS > o.TimeoutMS+60_000 {
		t.Errorf("the result is %+v", r)
	}
}

func TestIdleAgentStopsAtOnce(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	_, stop := startAgent(t, h, nil)
	p, _ := h.peer(nil)
	start := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	<-p.gone
	t.Logf("stopped in %v", time.Since(start))
	select {
	case <-h.peers:
		t.Error("it connected again while it stopped")
	default:
	}
}
