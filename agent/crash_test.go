package agent

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// startProcess runs an agent in a process of its own. Killing it is the caller's.
func startProcess(t *testing.T, h *hub, data string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "agent", h.web.URL, data)
	var out bytes.Buffer
	cmd.Stderr = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("the agent wrote:\n%s", out.String())
		}
	})
	return cmd
}

func TestKilledWhileTheGuestRuns(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	data := t.TempDir()
	first := startProcess(t, h, data)
	p, hello := h.peer(nil)
	o := offer(h.publish(testModule(t, "sleeper")))
	p.run(o)
	next[*wire.Prepared](p)
	until(t, "the start is in the journal", func() bool {
		raw, _ := os.ReadFile(filepath.Join(data, fileJournal))
		return bytes.Contains(raw, []byte(`"a":1}`))
	})
	first.Process.Kill()
	first.Wait()
	<-p.gone

	startProcess(t, h, data)
	p, again := h.peer(func(wire.Item) wire.Answer { return wire.AnswerSendResult })
	if again.JournalID != hello.JournalID || again.Incarnation == hello.Incarnation {
		t.Errorf("the new process says %+v", again)
	}
	if len(again.Items) != 1 || again.Items[0].Execution != o.Execution || again.Items[0].Phase != wire.PhaseDone {
		t.Fatalf("its journal holds %+v", again.Items)
	}
	r := next[*wire.Result](p)
	if r.Outcome != octopus.Lost || r.Reason != "agent_restarted" || r.Fence != o.Fence {
		t.Errorf("the result is %+v", r)
	}
	p.ack(r, wire.VerdictCommitted)
}

func TestKilledBeforeTheServerHasTheResult(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	data := t.TempDir()
	first := startProcess(t, h, data)
	p, _ := h.peer(nil)
	o := offer(h.publish(printer(`{"status_code":200,"message":"true","data":[{"type":"file","name":"a","value":"x"}]}`)))
	p.run(o)
	next[*wire.Result](p) // and no word about it
	first.Process.Kill()
	first.Wait()

	startProcess(t, h, data)
	p, _ = h.peer(func(wire.Item) wire.Answer { return wire.AnswerSendResult })
	r := next[*wire.Result](p)
	if r.Outcome != octopus.Succeeded || !strings.Contains(string(r.Response), "true") {
		t.Errorf("the result is %+v", r)
	}
	p.ack(r, wire.VerdictDuplicate)
	until(t, "the file is in place", func() bool {
		raw, _ := os.ReadFile(filepath.Join(data, "files", o.Task, "a"))
		return string(raw) == "x"
	})
}

func TestKilledBeforeTheGo(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	data := t.TempDir()
	first := startProcess(t, h, data)
	p, _ := h.peer(nil)
	o := offer(h.publish(testModule(t, "noop")))
	p.send(o)
	next[*wire.Accept](p)
	first.Process.Kill()
	first.Wait()

	// The server had committed the accept: it says go again, and the journal still knows what to run.
	startProcess(t, h, data)
	p, hello := h.peer(func(wire.Item) wire.Answer { return wire.AnswerGo })
	if len(hello.Items) != 1 || hello.Items[0].Phase != wire.PhaseAccepted {
		t.Fatalf("the journal holds %+v", hello.Items)
	}
	if r := next[*wire.Result](p); r.Outcome != octopus.Succeeded || r.Execution != o.Execution {
		t.Errorf("the result is %+v", r)
	}
}

func TestResultSurvivesALostConnection(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	startAgent(t, h, nil)
	p, _ := h.peer(nil)
	o := offer(h.publish(testModule(t, "noop")))
	p.run(o)
	next[*wire.Result](p)
	p.ws.CloseNow()

	p, hello := h.peer(func(wire.Item) wire.Answer { return wire.AnswerSendResult })
	if len(hello.Items) != 1 || hello.Items[0].Phase != wire.PhaseDone {
		t.Errorf("the hello holds %+v", hello.Items)
	}
	r := next[*wire.Result](p)
	p.ack(r, wire.VerdictCommitted)
	p.ws.CloseNow()
	if _, hello = h.peer(nil); len(hello.Items) != 0 {
		t.Errorf("after the acknowledgement the hello holds %+v", hello.Items)
	}
}

func TestTornJournalOfAnAgent(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	data := t.TempDir()
	first := startProcess(t, h, data)
	p, hello := h.peer(nil)
	p.run(offer(h.publish(testModule(t, "noop"))))
	next[*wire.Result](p)
	first.Process.Kill()
	first.Wait()
	file, err := os.OpenFile(filepath.Join(data, fileJournal), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	file.Write([]byte{200, 0, 0, 0, 1, 2, 3})
	file.Close()
	startProcess(t, h, data)
	p, again := h.peer(func(wire.Item) wire.Answer { return wire.AnswerSendResult })
	if again.JournalID != hello.JournalID {
		t.Error("a torn tail made another journal")
	}
	if r := next[*wire.Result](p); r.Outcome != octopus.Succeeded {
		t.Errorf("the result is %+v", r)
	}
}

// TestWhatIsNoResponseSurvivesACrash: its head travels with the result, and is in the journal until that is acknowledged.
func TestWhatIsNoResponseSurvivesACrash(t *testing.T) {
	t.Parallel()
	h := newHub(t)
	data := t.TempDir()
	first := startProcess(t, h, data)
	p, _ := h.peer(nil)
	p.run(offer(h.publish(testModule(t, "stdout_flood"))))
	r := next[*wire.Result](p)
	if r.Outcome != octopus.Failed || r.Reason != spec.CodeOutputLimit || len(r.Invalid) != wire.MaxInvalid || r.Usage.OutputBytes <= wire.MaxInvalid {
		t.Errorf("%s (%s) with %d of %d bytes", r.Outcome, r.Reason, len(r.Invalid), r.Usage.OutputBytes)
	}
	first.Process.Kill()
	first.Wait()
	startProcess(t, h, data)
	p, _ = h.peer(func(wire.Item) wire.Answer { return wire.AnswerSendResult })
	if again := next[*wire.Result](p); !bytes.Equal(again.Invalid, r.Invalid) {
		t.Errorf("after the crash %d bytes, want the same %d", len(again.Invalid), len(r.Invalid))
	}
}
