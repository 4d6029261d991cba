package core

import (
	"slices"
	"time"

	"octopus/internal/seeded"
	"octopus/internal/wire"
)

func (c *Core) onConnected(ev Connected) {
	c.connected, c.welcomed = true, false
	c.hello, c.helloSeq = ev.Hello, 0
	c.beats = c.beats[:0]
	for _, it := range c.order {
		it.wanted = false
	}
	c.sendHello()
}

// sendHello tells the server everything that the agent holds, in pages.
func (c *Core) sendHello() {
	c.helloAt = c.now
	items := c.report()
	c.helloSeq++
	for number := 0; number == 0 || len(items) > 0; number++ {
		n := min(len(items), wire.HelloPage)
		page := c.hello
		page.Seq, page.Page = c.helloSeq, number
		page.Free, page.Version = c.Free(), wire.Version
		page.Items, items = items[:n], items[n:]
		page.End = len(items) == 0
		c.send(&page)
	}
	if c.stopping {
		c.send(&wire.Draining{Reason: "stopping"})
	}
}

func (c *Core) onDisconnected() {
	if seeded.Is(seeded.LostOutbox) {
		c.order = slices.DeleteFunc(c.order, func(it *item) bool {
			if it.phase == done {
				delete(c.items, it.key)
			}
			return it.phase == done
		})
	}
	c.connected, c.welcomed = false, false
	c.beats = c.beats[:0]
}

func (c *Core) onMessage(m wire.Message) {
	switch m := m.(type) {
	case *wire.Welcome:
		c.onWelcome(m)
	case *wire.HelloAnswer:
		c.onAnswers(m)
	case *wire.HeartbeatAck:
		c.onBeatAck(m)
	case *wire.Offer:
		c.onOffer(m)
	case *wire.Go:
		c.onGo(Key{m.Execution, m.Fence}, m.Attempt)
	case *wire.Withdrawn:
		c.discard(Key{m.Execution, m.Fence}, "withdrawn")
	case *wire.Cancel:
		c.onCancel(m)
	case *wire.ResultAck:
		c.onResultAck(m)
	case *wire.Drain:
		c.onDrain(m)
	case *wire.Restart:
		c.onStop(Stop{Reason: m.Reason, Err: ErrRestart})
	case *wire.Settings:
		c.drained = m.Drained
	}
}

func (c *Core) onWelcome(m *wire.Welcome) {
	if c.welcomed || !c.connected { // to a hello that was asked for again, or on a socket that was given up
		return
	}
	c.welcomed = true
	c.drained = m.Drained
	c.lastOffer = 0 // offers are counted per session
	c.interval = max(time.Duration(m.HeartbeatMS)*time.Millisecond, 10*time.Millisecond)
	c.offline = time.Duration(m.OfflineMS) * time.Millisecond
	if c.offline <= 0 {
		c.offline = c.interval * 5 / 2
	}
	c.nextBeat = c.now + time.Duration(m.FirstAfterMS)*time.Millisecond
	c.lease(c.helloAt)
}

// lease counts from when the agent sent what the server acknowledged, never from the acknowledgement.
func (c *Core) lease(at time.Duration) {
	if !c.leased || at > c.leaseAt {
		c.leased, c.leaseAt = true, at
	}
}

func (c *Core) onBeatAck(m *wire.HeartbeatAck) {
	for i, b := range slices.Backward(c.beats) {
		if b.seq <= m.Seq {
			c.lease(b.at)
			c.beats = slices.Delete(c.beats, 0, i+1)
			break
		}
	}
	if m.Rehello {
		c.sendHello()
	}
}

// onDrain leaves the present connection as it is: it serves until another one is open, or the server closes it.
func (c *Core) onDrain(m *wire.Drain) {
	low := time.Duration(m.ReconnectMinMS) * time.Millisecond
	c.do(Reconnect{
		Cause: "the server drains: " + m.Reason,
		Min:   low, Max: max(low, time.Duration(m.ReconnectMaxMS)*time.Millisecond, time.Millisecond),
	})
}

// lose gives up the open socket.
func (c *Core) lose(cause string) {
	c.do(Reconnect{Cause: cause})
	c.onDisconnected()
}

// onTime does everything that is due by now.
func (c *Core) onTime() {
	if c.connected {
		c.beatOnTime()
	}
	for _, it := range c.order {
		c.itemOnTime(it)
	}
	c.stopOnTime()
}

func (c *Core) beatOnTime() {
	switch {
	case !c.welcomed:
		if c.now-c.helloAt >= ackWithin {
			c.lose("the server did not answer the hello")
		}
		return
	case len(c.beats) > 0 && c.now-c.beats[0].at >= ackWithin:
		c.lose("the server did not answer a heartbeat")
		return
	}
	if c.now < c.nextBeat {
		return
	}
	c.beatSeq++
	c.nextBeat = c.now + c.interval
	c.beats = append(c.beats, beat{c.beatSeq, c.now})
	c.send(&wire.Heartbeat{
		Seq: c.beatSeq, Free: c.Free(), LastOffer: c.lastOffer, Digest: wire.DigestItems(c.report()),
	})
}

func (c *Core) itemOnTime(it *item) {
	switch it.phase {
	case accepted:
		if c.welcomed && c.now >= it.nextAccept {
			c.accept(it)
		}
	case going, started:
		if it.killAt > 0 && c.now >= it.killAt {
			c.kill(it, reasonCancelled)
		}
		if it.retries() && c.leased && c.now >= c.leaseEnd(it.offer) {
			c.kill(it, ReasonLeaseLost)
		}
	case done:
		if c.welcomed && it.wanted && c.now >= it.nextSend {
			c.sendResult(it)
		}
	}
}

// Wake is when the next Tick is due, and false when nothing waits for time.
func (c *Core) Wake() (at time.Duration, ok bool) {
	if c.exited {
		return 0, false
	}
	note := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	if c.connected && !c.welcomed {
		note(c.helloAt + ackWithin)
	}
	if c.welcomed {
		note(c.nextBeat)
		if len(c.beats) > 0 {
			note(c.beats[0].at + ackWithin)
		}
	}
	for _, it := range c.order {
		it.wake(c, note)
	}
	if c.stopping && c.stopAt > 0 && c.now < c.stopAt && c.Held() > 0 {
		note(c.stopAt)
	}
	if c.restAt > 0 {
		note(c.restAt)
	}
	return at, ok
}

func (it *item) wake(c *Core, note func(time.Duration)) {
	switch it.phase {
	case accepted:
		if c.welcomed {
			note(it.nextAccept)
		}
	case going, started:
		if it.killed != "" {
			return
		}
		if it.killAt > 0 {
			note(it.killAt)
		}
		if it.retries() && c.leased {
			note(c.leaseEnd(it.offer))
		}
	case done:
		if c.welcomed && it.wanted {
			note(it.nextSend)
		}
	}
}
