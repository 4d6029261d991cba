package core

import (
	"time"

	"octopus/internal/wire"
)

// phase is how far an execution got on this agent.
type phase int

const (
	accepted phase = iota // noted and accepted; the server has not said go
	going                 // go was heard; module and runner are being made ready
	started               // the worker may have started the guest
	done                  // a result waits for the server's word
)

// item is one execution that the agent holds.
type item struct {
	key     Key
	offer   *wire.Offer
	attempt int
	phase   phase

	nextAccept time.Duration // accepted: when to repeat

	cancelled bool          // a cancel was asked for
	killAt    time.Duration // when the grace of a cancel ends; 0: not armed
	killed    string        // why it was killed, "" when it was not

	result   *wire.Result // done
	uploaded int          // how many of the result's uploads are on the server
	wanted   bool         // the hello of this session was answered for it: results may be sent
	nextSend time.Duration
}

// beat is a heartbeat that was not yet acknowledged.
type beat struct {
	seq int64
	at  time.Duration
}

// Core is the state. It is owned by one goroutine.
type Core struct {
	config Config
	now    time.Duration
	out    []Effect

	items map[Key]*item
	order []*item // the same, oldest first: whatever is done to all is done in this order
	ended memory  // tries that were here and are over

	connected bool
	welcomed  bool
	hello     wire.Hello
	helloSeq  int64 // of the last hello of this session
	helloAt   time.Duration
	lastOffer int64

	interval time.Duration // of heartbeats
	offline  time.Duration // the server's threshold
	nextBeat time.Duration
	beatSeq  int64
	beats    []beat        // sent and not acknowledged, oldest first
	leased   bool          // leaseFrom is set
	leaseAt  time.Duration // when the last acknowledged heartbeat was sent

	drained bool // by an administrator: the server offers nothing

	stopping bool
	stopErr  error
	stopAt   time.Duration // when what runs is killed; 0: never
	restAt   time.Duration // when nothing runs any more: how long to wait for acknowledgements; 0: not armed
	exited   bool
}

// New makes the core, with what the journal held.
func New(c Config, restored []Restored) *Core {
	if c.MaxPending <= 0 {
		c.MaxPending = 1000
	}
	core := &Core{config: c, items: map[Key]*item{}}
	for _, r := range restored {
		it := &item{key: Key{r.Offer.Execution, r.Offer.Fence}, offer: r.Offer, attempt: r.Attempt}
		switch {
		case r.Result != nil:
			it.phase, it.result = done, r.Result
		case r.Started:
			lost := lostResult(r)
			it.phase, it.result = done, &lost
		}
		core.add(it)
	}
	return core
}

// Step takes one event and returns what is to be done. The slice is valid until the next call.
func (c *Core) Step(now time.Duration, ev Event) []Effect {
	c.now = max(now, c.now)
	clear(c.out)
	c.out = c.out[:0]
	if c.exited {
		return nil
	}
	switch ev := ev.(type) {
	case Connected:
		c.onConnected(ev)
	case Disconnected:
		c.onDisconnected()
	case Message:
		c.onMessage(ev.Message)
	case NoteFailed:
		c.onNoteFailed(ev.Key)
	case Ready:
		c.onReady(ev)
	case Done:
		c.onDone(ev)
	case Uploaded:
		c.onUploaded(ev)
	case Stop:
		c.onStop(ev)
	}
	c.onTime()
	return c.out
}

func (c *Core) add(it *item) {
	c.items[it.key] = it
	c.order = append(c.order, it)
}

func (c *Core) do(e Effect) { c.out = append(c.out, e) }

// send queues a frame while a socket is open; anything else is repaired by the hello of the next session.
func (c *Core) send(m wire.Message) {
	if c.connected {
		c.do(Send{m})
	}
}

// Free is how many more executions the agent would take.
func (c *Core) Free() int {
	if c.stopping || c.pending() >= c.config.MaxPending {
		return 0
	}
	return max(0, c.config.Slots-c.Held())
}

// Held is how many executions occupy a slot.
func (c *Core) Held() (n int) {
	for _, it := range c.order {
		if it.phase != done {
			n++
		}
	}
	return n
}

// pending is how many results wait for the server.
func (c *Core) pending() int { return len(c.items) - c.Held() }

// Holding is one execution, for the status file.
type Holding struct {
	Key   Key
	Offer *wire.Offer
	Phase wire.Phase
}

// Holdings lists what the agent holds, in no order.
func (c *Core) Holdings() []Holding {
	list := make([]Holding, 0, len(c.items))
	for _, it := range c.order {
		list = append(list, Holding{it.key, it.offer, it.phase.wire()})
	}
	return list
}

// Welcomed says whether the server has answered the hello of the open socket.
func (c *Core) Welcomed() bool { return c.welcomed }

// wire is the phase as the server knows it. Making ready counts as accepted: the guest did not start.
func (p phase) wire() wire.Phase {
	switch p {
	case started:
		return wire.PhaseStarted
	case done:
		return wire.PhaseDone
	}
	return wire.PhaseAccepted
}

// report lists every item as the hello carries it.
func (c *Core) report() []wire.Item {
	list := make([]wire.Item, 0, len(c.items))
	for _, it := range c.order {
		list = append(list, wire.Item{
			Execution: it.key.Execution, Attempt: it.attempt, Fence: it.key.Fence, Phase: it.phase.wire(),
		})
	}
	return list
}
