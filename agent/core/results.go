package core

import (
	"encoding/json"
	"slices"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/seeded"
	"octopus/internal/wire"
	"octopus/sdk/spec"
)

// onDone takes a worker's result, keeps it, and sends it.
func (c *Core) onDone(ev Done) {
	it := c.items[ev.Key]
	if it == nil || it.phase == done {
		return
	}
	result := ev.Result
	result.Execution, result.Fence, result.Attempt = ev.Key.Execution, ev.Key.Fence, it.attempt
	it.outcome(&result, ev)
	it.phase, it.result = done, &result
	if it.killed != "" && seeded.Is(seeded.SlotKeptAfterKill) {
		c.config.Slots--
	}
	if it.killed == reasonDiscarded {
		c.forget(it, File{it.key, result, "the server did not want it any more"})
		return
	}
	c.do(Keep{it.key, result})
	it.wanted = c.welcomed
	if it.wanted {
		c.sendResult(it)
		if seeded.Is(seeded.JournalDroppedEarly) {
			c.forget(it, Commit{it.key})
		}
	}
}

// outcome says how an execution ended where the agent had a hand in it. What a guest answered by itself wins over
// a cancel, unless it says that it stopped because of the cancel.
func (it *item) outcome(r *wire.Result, ev Done) {
	switch {
	case ev.Natural && !(it.cancelled && ev.Code == spec.CodeCancelled):
		return
	case it.killed == ReasonLeaseLost || it.killed == ReasonAgentStopped:
		r.Outcome, r.Reason, r.MayRetry = octopus.Lost, it.killed, false
	case it.cancelled && r.Outcome != octopus.TimedOut:
		r.Outcome, r.Reason, r.MayRetry = octopus.Cancelled, reasonCancelled, false
	}
}

// uploads are what has to be on the server before the result is sent, in order.
func (it *item) uploads() (list []Upload) {
	if it.result.BlobSHA256 != "" {
		list = append(list, Upload{it.key, it.result.BlobSHA256, false})
	}
	if it.result.ArtifactsSHA256 != "" {
		list = append(list, Upload{it.key, it.result.ArtifactsSHA256, true})
	}
	return list
}

// sendResult sends a result, or first what it refers to.
func (c *Core) sendResult(it *item) {
	if list := it.uploads(); it.uploaded < len(list) {
		it.nextSend = c.now + time.Hour // until Uploaded says more
		c.do(list[it.uploaded])
		return
	}
	it.nextSend = c.now + resultEvery
	r := *it.result
	r.Free, r.LastOffer = c.Free(), c.lastOffer
	c.send(&r)
}

func (c *Core) onUploaded(ev Uploaded) {
	it := c.items[ev.Key]
	if it == nil || it.phase != done {
		return
	}
	switch {
	case ev.Err == nil:
		it.uploaded++
	case ev.Refused:
		c.replaceRefused(it, ev.Err)
	default:
		it.nextSend = c.now + uploadEvery
		return
	}
	it.nextSend = c.now
}

// replaceRefused gives up a body that the server will never take. The execution ends all the same, and says why.
func (c *Core) replaceRefused(it *item, err error) {
	r := *it.result
	if list := it.uploads(); it.uploaded < len(list) && list[it.uploaded].Artifacts {
		r.ArtifactsSHA256, r.ArtifactsLost = "", "The server did not take them: "+err.Error()
		it.result = &r
		c.do(Keep{it.key, r})
		return
	}
	r.BlobSHA256, r.MayRetry = "", false
	if r.Outcome == octopus.Succeeded {
		r.Outcome = octopus.Failed
	}
	r.Reason = spec.CodeOutputLimit
	r.Response = encode(spec.Failure(507, spec.CodeOutputLimit, "The server did not take the result: "+err.Error()))
	it.result = &r
	c.do(Keep{it.key, r})
}

func (c *Core) onResultAck(m *wire.ResultAck) {
	it := c.items[Key{m.Execution, m.Fence}]
	if it == nil || it.phase != done {
		return
	}
	switch m.Verdict {
	case wire.VerdictCommitted, wire.VerdictDuplicate:
		c.forget(it, Commit{it.key})
	default:
		why := string(m.Verdict)
		if m.Reason != "" {
			why += ": " + m.Reason
		}
		c.forget(it, File{it.key, *it.result, why})
	}
}

func (c *Core) onStop(ev Stop) {
	if ev.Grace > 0 { // a stop may come while a restart still waits
		if at := c.now + ev.Grace; c.stopAt == 0 || at < c.stopAt {
			c.stopAt = at
		}
		c.stopErr = ev.Err
	}
	if c.stopping {
		return
	}
	c.stopping, c.stopErr = true, ev.Err
	c.send(&wire.Draining{Reason: ev.Reason})
	for _, it := range slices.Clone(c.order) {
		if it.phase == accepted {
			c.forget(it, Drop{it.key})
			c.reject(it.key, wire.RejectBusy, "This agent is stopping.")
		}
	}
}

// stopOnTime ends a stopping agent once nothing runs and what can be said was said.
func (c *Core) stopOnTime() {
	if !c.stopping || c.exited {
		return
	}
	if c.stopAt > 0 && c.now >= c.stopAt {
		for _, it := range c.order {
			if it.phase != done {
				c.kill(it, ReasonAgentStopped)
			}
		}
	}
	if c.Held() > 0 {
		return
	}
	if c.restAt == 0 {
		c.restAt = c.now + lastWords
	}
	if c.pending() == 0 || !c.connected || c.now >= c.restAt {
		c.exited = true
		c.do(Exit{c.stopErr})
	}
}

// encode writes a response that the agent made; it always can be.
func encode(r spec.Response) json.RawMessage {
	raw, _ := json.Marshal(r)
	return raw
}
