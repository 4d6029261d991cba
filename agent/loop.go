package agent

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"octopus/agent/core"
	"octopus/agent/journal"
	"octopus/agent/link"
	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// loop feeds the core and carries out its effects until it says Exit. When ctx ends the core is asked to stop.
func (a *Agent) loop(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	asked := ctx.Done()
	dirty := false // the status file is behind
	for {
		var event core.Event = core.Tick{}
		select {
		case event = <-a.events:
		case <-timer.C:
		case <-asked:
			asked = nil
			event = core.Stop{Reason: "the agent was told to stop", Grace: a.config.StopGrace}
		}
		if exit, err := a.step(event); exit {
			return err
		}
		wait := a.untilWake()
		if _, idle := event.(core.Tick); !idle || dirty {
			if dirty = a.status.changed(a.clock()); dirty {
				wait = min(wait, 250*time.Millisecond)
			}
		}
		timer.Reset(wait)
	}
}

func (a *Agent) untilWake() time.Duration {
	at, ok := a.core.Wake()
	if !ok {
		return time.Hour
	}
	return min(max(at-a.clock(), 0), time.Hour)
}

// step takes an event, and those that its effects lead to.
func (a *Agent) step(event core.Event) (exit bool, err error) {
	queue := []core.Event{event}
	for len(queue) > 0 {
		event, queue = queue[0], queue[1:]
		for _, effect := range a.core.Step(a.clock(), event) {
			if last, ok := effect.(core.Exit); ok {
				return true, last.Err
			}
			if next := a.perform(effect); next != nil {
				queue = append(queue, next)
			}
		}
	}
	return false, nil
}

// perform carries out one effect. It never blocks on the network or a worker. The event it returns comes next.
func (a *Agent) perform(effect core.Effect) core.Event {
	switch e := effect.(type) {
	case core.Send:
		a.send(e.Message)
	case core.Note:
		return a.note(e.Offer)
	case core.Start:
		a.start(e.Offer, e.Attempt)
	case core.Permit:
		if h := a.held[e.Key]; h != nil && h.job != nil {
			h.job.permit <- e.Err
		}
	case core.Flag:
		if h := a.held[e.Key]; h != nil && h.job != nil {
			close(h.job.flag)
		}
	case core.Kill:
		if h := a.held[e.Key]; h != nil && h.job != nil {
			h.job.kill(errors.New(e.Reason))
		}
	case core.Keep:
		a.keep(e)
	case core.Upload:
		a.upload(e)
	case core.Commit:
		a.commit(e.Key)
	case core.File:
		a.file(e)
	case core.Drop:
		a.forget(e.Key)
	case core.Reconnect:
		a.reconnect(e)
	}
	return nil
}

func (a *Agent) send(m wire.Message) {
	switch m := m.(type) {
	case *wire.Heartbeat:
		m.Load = loadAverage()
	case *wire.Hello:
		if m.End {
			defer a.logs.Connected(func(l *wire.Log) bool { return a.transmit(l, true) })
		}
	}
	a.transmit(m, false)
}

// note writes an accept into the journal and sends it.
func (a *Agent) note(o *wire.Offer) core.Event {
	key := core.Key{Execution: o.Execution, Fence: o.Fence}
	if err := a.journal.Accepted(o); err != nil {
		a.config.Log.Warn("an offer found no room in the journal", "execution", o.Execution, "err", err)
		return core.NoteFailed{Key: key}
	}
	a.held[key] = &held{offer: o, since: time.Now()}
	a.send(&wire.Accept{Execution: o.Execution, Fence: o.Fence})
	return nil
}

// keep writes a result; the disk is waited for side by side with sending it.
func (a *Agent) keep(e core.Keep) {
	if err := a.journal.Result(&e.Result); err != nil {
		a.config.Log.Error("a result is in memory only until the server has it", "execution", e.Key.Execution, "err", err)
		return
	}
	select {
	case a.syncs <- struct{}{}:
	default:
	}
}

// syncJournal brings results to the disk. It is a goroutine of Run.
func (a *Agent) syncJournal(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.syncs:
			if err := a.journal.Sync(); err != nil {
				a.config.Log.Error("sync journal", "err", err)
			}
		}
	}
}

// upload hands a large result to the server, beside the loop.
func (a *Agent) upload(e core.Upload) {
	a.jobs.Go(func() {
		body, err := a.blobs.read(e.Key)
		refused := err != nil // what cannot be read will not be readable later
		if err == nil {
			ctx, cancel := context.WithTimeout(a.running, 5*time.Minute)
			defer cancel()
			err = a.client.PutBlob(ctx, a.linkID(), e.SHA256, body)
			var r *link.Refused
			refused = errors.As(err, &r) && r.Permanent() && r.Status != 401 && r.Status != 403
		}
		a.post(core.Uploaded{Key: e.Key, Err: err, Refused: refused})
	})
}

// commit puts staged files in place: the server has the result. They are synced before the journal forgets them.
func (a *Agent) commit(key core.Key) {
	if h := a.held[key]; h != nil && h.hasFiles() {
		if err := a.outputs.commit(h.offer); err != nil {
			a.config.Log.Error("output files stay where they were staged", "execution", key.Execution, "err", err)
		}
	}
	a.forget(key)
}

// file keeps a result that the server does not want.
func (a *Agent) file(e core.File) {
	a.config.Log.Warn("a result was not wanted by the server", "execution", e.Key.Execution, "why", e.Why)
	if h := a.held[e.Key]; h != nil {
		if err := a.outputs.late(h.offer, e); err != nil {
			a.config.Log.Error("keep late result", "execution", e.Key.Execution, "err", err)
		}
	}
	a.forget(e.Key)
}

// forget clears an execution from memory and disk.
func (a *Agent) forget(key core.Key) {
	if h := a.held[key]; h != nil {
		if h.hasFiles() {
			a.outputs.discard(h.offer)
		}
		delete(a.held, key)
	}
	a.blobs.remove(key)
	if err := a.journal.Closed(journal.Key{Execution: key.Execution, Fence: key.Fence}); err != nil {
		a.config.Log.Warn("the journal could not be shortened", "err", err)
	}
}

func (a *Agent) reconnect(e core.Reconnect) {
	s := a.current()
	if s == nil {
		return
	}
	s.mu.Lock()
	s.window = link.Window{Min: e.Min, Max: e.Max}
	s.mu.Unlock()
	s.cancel(errors.New(e.Cause))
}

// admit says whether an offer may run here; the core asks it before it accepts.
func (a *Agent) admit(o *wire.Offer) (wire.RejectReason, string) {
	if !octopus.ValidID(octopus.PrefixExecution, o.Execution) {
		return wire.RejectPolicy, "The execution's id is not one of Octopus."
	}
	timeout := time.Duration(o.TimeoutMS) * time.Millisecond
	if why := a.policy.Refusal(o.Plugin, o.MemoryBytes, timeout); why != "" {
		return wire.RejectPolicy, why
	}
	if why := a.policy.SandboxRefusal(a.pool.Level().Name); why != "" {
		return wire.RejectSandbox, why
	}
	if free, ok := a.folder.free(); ok && free < a.config.MinFree {
		return wire.RejectNoSpace, "The agent's disk is full."
	}
	if a.logs.Full() {
		return wire.RejectNoSpace, "The agent's log spool is full."
	}
	return "", ""
}

// blobs are large results on disk until the server has them.
type blobs struct{ root *os.Root }

func (b blobs) name(key core.Key) string {
	return key.Execution + "." + strconv.FormatInt(key.Fence, 10) + ".blob"
}

func (b blobs) write(key core.Key, raw []byte) error { return writeSynced(b.root, b.name(key), raw) }

func (b blobs) read(key core.Key) ([]byte, error) { return b.root.ReadFile(b.name(key)) }

func (b blobs) remove(key core.Key) { b.root.Remove(b.name(key)) }
