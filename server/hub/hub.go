// Package hub holds the agents' connections: WebSockets or long polls in, one session per agent, bounded queues. It
// owns everything below /api/v1/agent/ and knows nothing of what the messages mean.
//
// A connection costs one goroutine that waits for its next frame, and small buffers. It has no ticker, no writer
// that waits and no deadline per read: silence is the dispatcher's sweeper's business, a writer exists while there
// is something to write, and frames are decoded by a pool whose shards keep each agent's order.
package hub

import (
	"context"
	"hash/maphash"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"octopus/internal/wire"
	"octopus/server/auth"
	"octopus/server/dispatch"
	"octopus/server/store"
)

// Config says what a hub stands on.
type Config struct {
	Store    *store.Store
	Auth     *auth.Auth
	Dispatch *dispatch.Dispatcher
	Catalog  Catalog
	// Log receives what operators should know. Defaults to silence.
	Log *slog.Logger
	// ServerID is this process in the database.
	ServerID string
	// AdmitPerSecond bounds how many connections are let in a second, so that ten thousand agents that come back at
	// once do not drown the database. Defaults to 250 for each core, after a slower start.
	AdmitPerSecond float64
	// HelloWithin is how long a connection may take to say hello. Defaults to 10 s.
	HelloWithin time.Duration
	// PingWithin is how long the present connection may take to prove that it lives when another machine comes with
	// the same key. Defaults to 2 s.
	PingWithin time.Duration
	// PollWithin is how long an agent on long polls may stay away between two of them. Defaults to 5 s.
	PollWithin time.Duration
}

// Catalog is where the hub finds modules.
type Catalog interface {
	// Module returns the bytes of a version by its digest.
	Module(ctx context.Context, digest string) ([]byte, error)
	// Signed is what the server says of a module, with its signatures.
	Signed(ctx context.Context, digest string) (wire.SignedModule, error)
	// Keys are the keys that agents pin, the oldest first; none where nothing is signed.
	Keys(ctx context.Context) ([]wire.ServerKey, error)
}

// shards is how many goroutines decode frames; a connection always uses the same one.
const shards = 16

// shardQueue is how many frames wait for a shard. When it is full, its connections are not read.
const shardQueue = 64

// uploads is how many large responses are held in memory at a time.
const uploads = 4

// Hub holds the connections. Make it with [New] and give it a goroutine with [Hub.Run].
type Hub struct {
	cfg   Config
	admit *admission
	jobs  [shards]chan job
	seed  maphash.Seed
	blobs chan struct{}  // one for each upload that is in memory; the others wait
	enrol chan struct{}  // one for each machine that is being enrolled; the others are told to come back
	wg    sync.WaitGroup // connections and their writers

	malformed atomic.Int64 // frames that made a connection end
	waiting   atomic.Int64 // polls that wait for something to say

	mu       sync.Mutex
	conns    map[*conn]struct{} // every connection
	agents   map[string]*conn   // the present one of each agent
	polls    map[string]*poller // the newest session of long polls of each agent
	draining bool
	idle     chan struct{} // closed when draining and the last connection has gone
}

// job is one frame to decode, or the end of a connection.
type job struct {
	c     *conn
	frame []byte
	done  chan struct{} // closed when all before it was handled; nil for a frame
}

// enrolling is how many machines enrol at a time. The writer commits what comes together as one, so ten thousand
// enrol in seconds; beyond this number they would only wait in memory.
const enrolling = 256

// New makes a hub.
func New(c Config) *Hub {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.HelloWithin <= 0 {
		c.HelloWithin = 10 * time.Second
	}
	if c.PingWithin <= 0 {
		c.PingWithin = 2 * time.Second
	}
	if c.PollWithin <= 0 {
		c.PollWithin = 5 * time.Second
	}
	h := &Hub{
		cfg:    c,
		admit:  newAdmission(c.AdmitPerSecond),
		seed:   maphash.MakeSeed(),
		blobs:  make(chan struct{}, uploads),
		enrol:  make(chan struct{}, enrolling),
		conns:  make(map[*conn]struct{}),
		agents: make(map[string]*conn),
		polls:  make(map[string]*poller),
		idle:   make(chan struct{}),
	}
	for i := range h.jobs {
		h.jobs[i] = make(chan job, shardQueue)
	}
	return h
}

// Run decodes what agents send until ctx is done, then ends every connection. It returns when all have ended.
func (h *Hub) Run(ctx context.Context) error {
	var decoders sync.WaitGroup
	for _, jobs := range h.jobs {
		decoders.Go(func() { h.decode(jobs) })
	}
	<-ctx.Done()
	h.Drain(ctx)
	for _, c := range h.all() {
		c.pipe.kill()
	}
	h.wg.Wait()
	for _, jobs := range h.jobs {
		close(jobs) // nobody sends any more: every connection has ended
	}
	decoders.Wait()
	return nil
}

// decode handles the frames of one shard, in order.
func (h *Hub) decode(jobs <-chan job) {
	for j := range jobs {
		if j.done != nil {
			close(j.done)
			continue
		}
		j.c.handle(j.frame)
	}
}

// shard is the queue of a connection.
func (h *Hub) shard(agentID string) chan<- job {
	return h.jobs[maphash.String(h.seed, agentID)%shards]
}

// Drain tells every agent to come back later and refuses new ones. It returns when all have gone or ctx is done.
func (h *Hub) Drain(ctx context.Context) {
	h.mu.Lock()
	first := !h.draining
	h.draining = true
	if first && len(h.conns) == 0 {
		close(h.idle)
	}
	h.mu.Unlock()
	if first {
		h.handOver(ctx)
		h.SendAway("The server is stopping.")
	}
	select {
	case <-h.idle:
	case <-ctx.Done():
	}
}

// handOverWithin is how long agents may take to connect to another server before this one closes.
const handOverWithin = 3 * time.Second

// handOver asks the agents to connect to another server, where there is one, before they leave this one: none is
// offline in between. It returns when all have left, or had the time to.
func (h *Hub) handOver(ctx context.Context) {
	list := h.all()
	if len(list) == 0 || !h.others(ctx) {
		return
	}
	low, high := window(len(list))
	high = min(high, handOverWithin)
	for _, c := range list {
		c.Send(&wire.Drain{ReconnectMinMS: low.Milliseconds(), ReconnectMaxMS: high.Milliseconds(), Reason: "The server is stopping."})
	}
	timeout := time.NewTimer(high + low)
	defer timeout.Stop()
	select {
	case <-h.idle:
	case <-timeout.C:
	case <-ctx.Done():
	}
}

// others says whether another server shares this one's database and lives.
func (h *Hub) others(ctx context.Context) bool {
	if h.cfg.Store.Dialect() == "sqlite" {
		return false // which has one server
	}
	servers, err := h.cfg.Store.Servers(ctx)
	return err == nil && slices.ContainsFunc(servers, func(s store.Server) bool {
		return s.ID != h.cfg.ServerID && s.Alive(h.cfg.Store.Now())
	})
}

// SendAway closes every connection with 4012 and a window to come back in, to this or another server. The owner of
// the server's lease calls it when a renewal came over 15 s late: others may have taken its agents for gone.
func (h *Hub) SendAway(reason string) {
	list := h.all()
	low, high := window(len(list))
	for _, c := range list {
		c.Close(wire.CloseDrain, reason, low, high)
	}
}

// window spreads the return of n agents: 500 a second, within 2 to 30 s.
func window(n int) (low, high time.Duration) {
	return 500 * time.Millisecond, min(max(time.Duration(n)*time.Second/500, 2*time.Second), 30*time.Second)
}

// all lists the connections.
func (h *Hub) all() []*conn {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		list = append(list, c)
	}
	return list
}

// add registers a connection before its first byte is read. false: the hub is stopping.
func (h *Hub) add(c *conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.draining {
		return false
	}
	h.conns[c] = struct{}{}
	h.wg.Add(1)
	return true
}

// present makes c the connection of its agent.
func (h *Hub) present(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.agents[c.agent.ID] = c
}

// remove forgets a connection that has ended.
func (h *Hub) remove(c *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
	if h.agents[c.agent.ID] == c {
		delete(h.agents, c.agent.ID)
	}
	if h.draining && len(h.conns) == 0 {
		close(h.idle)
	}
}

// Connections is how many sockets are open, and Malformed how many were ended for what they sent.
func (h *Hub) Connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// Malformed is how many connections were ended because of a frame that breaks the protocol.
func (h *Hub) Malformed() int64 { return h.malformed.Load() }
