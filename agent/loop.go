package agent

import (
	"context"
	"errors"
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
		case err := <-a.broken:
			return err
		case <-asked:
			asked = nil
			event = core.Stop{Reason: "the agent was told to stop", Grace: a.config.StopGrace}
		}
		select {
		case err := <-a.broken: // before anything is said that stands on the journal
			return err
		default:
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

// journaled looks at what an operation of the journal came to. After a failed sync nobody knows what is on the disk:
// the agent acknowledges nothing more and ends. The next process reads what is there.
func (a *Agent) journaled(err error) error {
	if errors.Is(err, journal.ErrLost) {
		select {
		case a.broken <- octopus.Errorf(octopus.CodeUnavailable,
			"The disk of the data folder %s failed, so the agent keeps and acknowledges nothing more and ends (%v). Check the disk, then start the agent again.", a.folder.path, err):
		default: // it ends already
		}
	}
	return err
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
		if l := a.core.Lease(); a.lease.Load() == nil || *a.lease.Load() != l {
			a.lease.Store(&l)
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
	if err := a.journaled(a.journal.Accepted(o)); err != nil {
		a.config.Log.Warn("an offer found no room in the journal", "execution", o.Execution, "err", err)
		return core.NoteFailed{Key: key}
	}
	a.held[key] = &held{offer: o, since: time.Now()}
	a.send(&wire.Accept{Execution: o.Execution, Fence: o.Fence})
	return nil
}

// keep writes a result; the disk is waited for side by side with sending it.
func (a *Agent) keep(e core.Keep) {
	if err := a.journaled(a.journal.Result(&e.Result)); err != nil {
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
			if err := a.journaled(a.journal.Sync()); err != nil {
				a.config.Log.Error("sync journal", "err", err)
			}
		}
	}
}

// upload hands a large result, or the files that an execution left, to the server, beside the loop.
func (a *Agent) upload(e core.Upload) {
	a.jobs.Go(func() {
		suffix := suffixBlob
		if e.Artifacts {
			suffix = suffixArtifacts
		}
		body, err := a.blobs.read(e.Key, suffix)
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

// commit puts staged files in place: the server has the result. The journal has it for sure before the first file
// moves, and the files are in place for sure before the journal forgets it: after a power cut in between the rest
// follows. Where the disk fails, files and journal stay as they are for the next process.
func (a *Agent) commit(key core.Key) {
	if h := a.held[key]; h != nil && h.hasFiles() {
		err := a.journal.Sync()
		if err == nil {
			err = a.outputs.commit(h.offer)
		}
		if err != nil {
			a.config.Log.Error("output files stay where they were staged, until the agent is started again", "execution", key.Execution, "err", err)
			delete(a.held, key)
			return
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
	if err := a.journaled(a.journal.Closed(journal.Key{Execution: key.Execution, Fence: key.Fence})); err != nil {
		a.config.Log.Warn("the journal could not be shortened", "err", err)
	}
}

// reconnect gives the connection up. With a window it stays until another one is open: see succeed.
func (a *Agent) reconnect(e core.Reconnect) {
	if s := a.current(); s != nil && e.Max == 0 {
		s.cancel(errors.New(e.Cause))
	}
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
	if why := a.programsRefusal(o); why != "" {
		return wire.RejectPolicy, why
	}
	if why := a.policy.SandboxRefusal(a.pool.Level().Name); why != "" {
		return wire.RejectSandbox, why
	}
	if why := a.sandboxRefusal(o); why != "" {
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
