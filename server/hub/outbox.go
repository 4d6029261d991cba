package hub

import (
	"sync"
	"time"

	"octopus/internal/wire"
)

// Bounds of what waits to be written to one agent. Over the soft ones the agent is cut off with 4013 when no write
// got through for stuckAfter; over the hard ones at once. Cancels pass the soft bounds.
const (
	softMessages = 64
	softBytes    = 256 << 10
	hardMessages = 16 * softMessages
	hardBytes    = 8 * softBytes
	stuckAfter   = 2 * time.Second
)

// writeWithin is how long one write may take before the connection counts as dead.
const writeWithin = 10 * time.Second

// outbox is what waits to be written to one connection. A goroutine writes while there is something.
type outbox struct {
	mu      sync.Mutex
	queue   [][]byte
	bytes   int
	writing bool      // a goroutine writes
	moved   time.Time // the last write that got through, or the start of the present writer
	over    bool      // nothing more is queued
	code    int       // to close with when the queue is written, 0: stay open
	why     string
	gone    chan struct{} // closed when the goodbye was written, nil while there is none
}

// ended reports whether nothing more is sent.
func (o *outbox) ended() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.over
}

func (o *outbox) reason() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.why
}

// finish waits for a goodbye that is being written. After it no writer starts.
func (o *outbox) finish() {
	o.mu.Lock()
	o.over = true
	gone := o.gone
	o.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

// bye makes code the last that is sent. o.mu is held.
func (o *outbox) bye(code int, why string) {
	o.over, o.code, o.why, o.gone = true, code, why, make(chan struct{})
}

// Send queues a message. It never blocks; false means that the connection is gone, or is now being closed because
// the agent does not read.
func (c *conn) Send(m wire.Message) bool {
	frame, err := wire.Encode(m)
	if err != nil {
		c.hub.cfg.Log.Error("message not encoded", "err", err)
		return false
	}
	_, urgent := m.(*wire.Cancel)
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return false
	}
	if o.full(len(frame), urgent) {
		o.bye(wire.CloseTooSlow, "The agent does not read what it is sent.")
		o.queue, o.bytes = nil, 0
		c.write()
		return false
	}
	o.queue = append(o.queue, frame)
	o.bytes += len(frame)
	c.write()
	return true
}

// full reports whether size more bytes are too much. o.mu is held.
func (o *outbox) full(size int, urgent bool) bool {
	if len(o.queue) >= hardMessages || o.bytes+size > hardBytes {
		return true
	}
	over := len(o.queue) >= softMessages || o.bytes+size > softBytes && len(o.queue) > 0
	return over && !urgent && o.writing && time.Since(o.moved) > stuckAfter
}

// Close ends the connection after what is queued. With a window the agent is told when to come back.
func (c *conn) Close(code int, reason string, retryMin, retryMax time.Duration) {
	o := &c.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.over {
		return
	}
	if retryMax > 0 {
		frame, err := wire.Encode(&wire.Drain{ReconnectMinMS: retryMin.Milliseconds(), ReconnectMaxMS: retryMax.Milliseconds(), Reason: reason})
		if err == nil {
			o.queue = append(o.queue, frame)
		}
	}
	o.bye(code, reason)
	c.write()
}

// write makes sure that a goroutine writes. c.out.mu is held. The hub waits for it with the connections: it starts
// only while the reader, which the hub counts, may still run, or from a caller that holds the connection.
func (c *conn) write() {
	if c.out.writing {
		return
	}
	c.out.writing, c.out.moved = true, time.Now()
	c.hub.wg.Add(1)
	go c.drain()
}

// drain writes what is queued and closes the connection where that was asked for.
func (c *conn) drain() {
	defer c.hub.wg.Done()
	o := &c.out
	for {
		o.mu.Lock()
		queue, gone, code, why := o.queue, o.gone, o.code, o.why
		o.queue, o.bytes = nil, 0
		if len(queue) == 0 {
			o.writing = gone != nil // nobody writes after a goodbye
			o.mu.Unlock()
			if gone != nil {
				c.pipe.bye(code, why)
				close(gone)
			}
			return
		}
		o.mu.Unlock()
		if !c.put(queue) {
			c.abandon()
			return
		}
	}
}

// put hands frames over.
func (c *conn) put(queue [][]byte) bool {
	for _, frame := range queue {
		if !c.pipe.put(frame) {
			return false
		}
		c.out.mu.Lock()
		c.out.moved = time.Now()
		c.out.mu.Unlock()
	}
	return true
}

// abandon ends a connection whose peer does not take what is written.
func (c *conn) abandon() {
	c.pipe.kill()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if c.out.over = true; c.out.gone != nil {
		close(c.out.gone)
	}
}
