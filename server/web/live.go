package web

import (
	"context"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"octopus/server/bus"
)

// Bounds of the live part.
const (
	ringSize   = 8192                   // changes that a reconnecting page may have missed
	flushEvery = 100 * time.Millisecond // at most ten updates a second of anything
	pollEvery  = time.Second            // looks for what hints did not tell, while somebody watches
	maxDirty   = 2000                   // changes that wait; more: pages refetch themselves instead
	maxFlush   = 100                    // changes that are drawn at a time
	maxReplay  = 300                    // changes that are sent to a page that comes back; more: it refetches itself
	maxRemind  = 4000                   // fragments whose last form a group remembers
	clientRoom = 16                     // batches that wait for one browser; more: it is dropped, and comes back
	clientHeap = 128 << 10              // bytes of them; a larger batch may wait alone
)

// change names something that is not as it was.
type change struct{ kind, id string }

// Kinds of change.
const (
	changedExecution = "execution"
	changedRun       = "run"
	changedAgent     = "agent"
	changedTask      = "task"
	changedPlugin    = "plugin"     // "": one that is not known, or what belongs to none
	changedPluginRow = "plugin row" // nothing but its row in the list
	changedLogs      = "logs"
	changedOverview  = "overview"
)

// live turns hints into fragments and hands them to the pages that follow them. Hints are only hints: what is sent
// is read from the store, and a poll finds what no hint told.
//
// One goroutine, [live.run], reads, draws and hands out; the requests of the streams only join, leave and write.
type live struct {
	web   *Web   // static
	epoch string // static: of this process; identifiers of another one mean nothing here
	wake  chan struct{}
	done  chan struct{} // closed by stop
	once  sync.Once     // closes done

	mu      sync.Mutex
	seq     int64             // guarded by mu: number of the newest change
	ring    [ringSize]change  // guarded by mu: change n is at n % ringSize
	dirty   map[change]bool   // guarded by mu: what is to be drawn; true: a hint told, false: the poll wonders
	groups  map[string]*group // guarded by mu
	joining []*client         // guarded by mu: wait for what they missed
	seen    map[change]uint64 // owned by run: what the poll saw last
	sent    map[string]int64  // owned by run: newest log chunk that was sent, by execution
	resync  time.Time         // owned by run: when all pages were last told to refetch
	seed    maphash.Seed      // static
}

// group are the pages that follow the same things; what they get is put together once.
type group struct {
	sub     subscription
	clients map[*client]struct{}
	last    map[string]uint64 // hash of each fragment as it was last sent to all; cleared when a page joins
}

// client is one open stream. The queue is bounded: when it is full the stream ends and the page comes back.
type client struct {
	group   *group
	queue   chan []byte
	waiting atomic.Int64  // bytes in queue
	kicked  chan struct{} // closed when the queue overflowed
	missed  []change      // guarded by live.mu until it is served: what changed since the page was drawn
}

// took says that a batch left the queue.
func (c *client) took(batch []byte) { c.waiting.Add(-int64(len(batch))) }

func newLive(s *Web) *live {
	return &live{
		web: s, epoch: strconv.FormatInt(s.now().UnixMilli(), 36), seed: maphash.MakeSeed(),
		wake: make(chan struct{}, 1), done: make(chan struct{}),
		dirty: make(map[change]bool), groups: make(map[string]*group), seen: make(map[change]uint64), sent: make(map[string]int64),
	}
}

// cursor is the identifier of the newest change.
func (l *live) cursor() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.id(l.seq)
}

func (l *live) id(seq int64) string { return l.epoch + "." + strconv.FormatInt(seq, 10) }

// Viewers is how many pages are open.
func (s *Web) Viewers() int { return s.live.viewers() }

func (l *live) viewers() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.groups {
		n += len(g.clients)
	}
	return n
}

func (l *live) stop() { l.once.Do(func() { close(l.done) }) }

// join adds a page that was drawn at a cursor, or was connected up to one.
func (l *live) join(sub subscription, since string) *client {
	c := &client{queue: make(chan []byte, clientRoom), kicked: make(chan struct{})}
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.groups[sub.key]
	if g == nil {
		g = &group{sub: sub, clients: make(map[*client]struct{})}
		l.groups[sub.key] = g
	}
	c.group, g.last = g, make(map[string]uint64)
	g.clients[c] = struct{}{}
	missed, ok := l.since(since)
	if !ok {
		l.give(g, c, []byte("event: resync\ndata: \n\n"))
	}
	for topic := range sub.topics {
		if id, ok := strings.CutPrefix(topic, topicLogs); ok {
			missed = append(missed, change{changedLogs, id})
		}
	}
	if c.missed = missed; len(missed) > 0 || !ok {
		l.joining = append(l.joining, c)
		l.nudge()
	}
	return c
}

// since lists what changed after an identifier, each thing once; false where that cannot be told. The caller holds mu.
func (l *live) since(id string) ([]change, bool) {
	epoch, number, ok := strings.Cut(id, ".")
	seq, err := strconv.ParseInt(number, 10, 64)
	if !ok || err != nil || epoch != l.epoch || seq > l.seq || l.seq-seq > ringSize {
		return nil, false
	}
	known := make(map[change]bool)
	var out []change
	for n := seq + 1; n <= l.seq; n++ {
		if c := l.ring[n%ringSize]; !known[c] {
			known[c] = true
			out = append(out, c)
		}
	}
	return out, len(out) <= maxReplay
}

func (l *live) leave(c *client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(c.group.clients, c)
	if len(c.group.clients) == 0 {
		delete(l.groups, c.group.sub.key)
	}
}

// note remembers changes, and has them drawn if anybody watches.
func (l *live) note(told bool, changes ...change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range changes {
		if told {
			l.seq++
			l.ring[l.seq%ringSize] = c
		}
		if len(l.groups) > 0 {
			l.dirty[c] = told || l.dirty[c]
		}
	}
}

func (l *live) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run reads hints and feeds the pages until ctx ends.
func (l *live) run(ctx context.Context) error {
	hints := l.web.cfg.Bus.Subscribe(4096, "*")
	defer hints.Close()
	defer l.stop()
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	flush := time.NewTimer(time.Hour)
	defer flush.Stop()
	armed, last := false, time.Time{}
	arm := func() {
		if !armed {
			armed = true
			flush.Reset(max(0, flushEvery-time.Since(last)))
		}
	}
	incoming := hints.C()
	for {
		select {
		case <-ctx.Done():
			return nil
		case hint, ok := <-incoming:
			if !ok { // the bus is gone: the poll goes on
				incoming = nil
				continue
			}
			if l.hinted(hint) {
				arm()
			}
		case <-l.wake:
			arm()
		case <-poll.C:
			if hints.Missed() {
				l.resyncAll()
			}
			l.poll(ctx)
			arm()
		case <-flush.C:
			armed, last = false, time.Now()
			if more := l.flush(ctx); more {
				arm()
			}
		}
	}
}

// hinted translates a hint of the bus; it reports whether it was about something that pages show.
func (l *live) hinted(h bus.Hint) bool {
	kind, id, _ := strings.Cut(h.Topic, ":")
	if h.ID != "" {
		id = h.ID
	}
	switch kind {
	case "executions", "execution":
		l.note(true, change{changedExecution, id}, change{changedOverview, ""})
	case "logs":
		l.note(true, change{changedLogs, id}, change{changedExecution, id})
	case "run":
		l.note(true, change{changedRun, id})
	case "agents", "agent":
		l.note(true, change{changedAgent, id})
	case "tasks":
		l.note(true, change{changedTask, id})
	case "plugins":
		l.note(true, change{changedPlugin, id})
	default:
		return false
	}
	return true
}

// resyncAll tells every page to refetch itself, at most each 3 s.
func (l *live) resyncAll() {
	if time.Since(l.resync) < 3*time.Second {
		return
	}
	l.resync = time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.groups {
		clear(g.last)
		l.give(g, nil, []byte("event: resync\ndata: \n\n"))
	}
}

// give queues a batch for a page, or for all of a group. The caller holds mu.
func (l *live) give(g *group, only *client, batch []byte) {
	for c := range g.clients {
		if only != nil && c != only {
			continue
		}
		before := c.waiting.Add(int64(len(batch))) - int64(len(batch))
		if before == 0 || before+int64(len(batch)) <= clientHeap {
			select {
			case c.queue <- batch:
				continue
			default:
			}
		}
		delete(g.clients, c) // leave, later, finds it gone
		close(c.kicked)
	}
}
