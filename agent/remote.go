package agent

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"octopus/agent/broker"
	"octopus/internal/wire"
)

// callWithin bounds how long a guest waits for the server.
const callWithin = 10 * time.Second

// calls are host operations that the server answers: kv.*, cache.* and secret.get.
type calls struct {
	transmit func(wire.Message, bool) bool // static

	mu      sync.Mutex // guards what follows
	next    int64
	waiting map[int64]chan *wire.Reply
}

func newCalls(transmit func(wire.Message, bool) bool) *calls {
	return &calls{transmit: transmit, waiting: map[int64]chan *wire.Reply{}}
}

// remote is the server, for the broker of one execution.
func (c *calls) remote(execution string, fence int64) broker.Remote {
	return remoteCall{c, execution, fence}
}

type remoteCall struct {
	calls     *calls
	execution string
	fence     int64
}

// Call asks the server and waits for its answer. Without a connection it fails at once: the guest decides.
func (r remoteCall) Call(ctx context.Context, op string, req json.RawMessage) (json.RawMessage, error) {
	id, answer := r.calls.open()
	defer r.calls.close(id)
	sent := r.calls.transmit(&wire.Call{ID: id, Execution: r.execution, Fence: r.fence, Op: op, Request: req}, false)
	if !sent {
		return nil, broker.ErrUnavailable
	}
	timer := time.NewTimer(callWithin)
	defer timer.Stop()
	select {
	case reply := <-answer:
		switch {
		case reply == nil:
			return nil, broker.ErrUnavailable
		case reply.Error != nil:
			return nil, &broker.Error{Code: reply.Error.Code, Message: reply.Error.Message}
		}
		return reply.Response, nil
	case <-timer.C:
		return nil, broker.ErrUnavailable
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *calls) open() (int64, chan *wire.Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.next++
	answer := make(chan *wire.Reply, 1)
	c.waiting[c.next] = answer
	return c.next, answer
}

func (c *calls) close(id int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, id)
}

// answer hands a reply to whoever waits for it.
func (c *calls) answer(m *wire.Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.waiting[m.ID]; w != nil {
		delete(c.waiting, m.ID)
		w <- m
	}
}

// disconnected fails all that wait: their answers will not come.
func (c *calls) disconnected() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, w := range c.waiting {
		delete(c.waiting, id)
		w <- nil
	}
}

// maxBroadcasts bounds the table; entries beyond it are not kept.
const maxBroadcasts = 10_000

// broadcasts is the broadcast cache region as the server last told it.
type broadcasts struct {
	mu      sync.Mutex
	entries map[string]broadcastEntry // guarded by mu
}

type broadcastEntry struct {
	value   json.RawMessage
	expires time.Time // zero: never
}

func newBroadcasts() *broadcasts { return &broadcasts{entries: map[string]broadcastEntry{}} }

func (b *broadcasts) apply(m *wire.Broadcast) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.Reset {
		clear(b.entries)
	}
	for _, e := range m.Entries {
		if len(e.Value) == 0 || string(e.Value) == "null" {
			delete(b.entries, e.Name)
			continue
		}
		if _, known := b.entries[e.Name]; !known && len(b.entries) >= maxBroadcasts {
			continue
		}
		entry := broadcastEntry{value: e.Value}
		if e.TTLMS > 0 {
			entry.expires = time.Now().Add(time.Duration(e.TTLMS) * time.Millisecond)
		}
		b.entries[e.Name] = entry
	}
}

// get returns an entry that has not expired.
func (b *broadcasts) get(name string) (json.RawMessage, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.entries[name]
	if ok && !e.expires.IsZero() && time.Now().After(e.expires) {
		delete(b.entries, name)
		return nil, false
	}
	return e.value, ok
}
