// Package cache is the server's global cache: named regions, a TTL each, hit counters, and invalidation over the
// bus so that several servers agree. Nothing in it is the truth; every entry can be read again from the store.
package cache

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	gocache "github.com/patrickmn/go-cache"
	"golang.org/x/sync/singleflight"

	"octopus/server/bus"
)

// Region is a named part of the cache with its own TTL and counters.
type Region string

// The regions.
const (
	Sessions   Region = "sessions"
	Plugins    Region = "plugins"
	Users      Region = "users"
	Overview   Region = "overview"
	Broadcast  Region = "broadcast"
	PluginData Region = "plugin data"
)

// Regions lists every region.
func Regions() []Region {
	return []Region{Sessions, Plugins, Users, Overview, Broadcast, PluginData}
}

// DefaultTTLs says how long entries live where the configuration does not say otherwise.
func DefaultTTLs() map[Region]time.Duration {
	return map[Region]time.Duration{
		Sessions:   time.Minute,
		Plugins:    5 * time.Minute,
		Users:      time.Minute,
		Overview:   2 * time.Second,
		Broadcast:  5 * time.Minute,
		PluginData: time.Minute,
	}
}

// sweepEvery is how often expired entries are dropped by Run. An expired entry is never returned before that.
const sweepEvery = time.Minute

// Cache holds the regions. It is safe for concurrent use.
type Cache struct {
	bus     bus.Bus            // static
	regions map[Region]*region // static
}

// region is one named part. Its generation grows with each invalidation, so that a load that began before an
// invalidation neither puts back what was just dropped nor is shared with those who ask after it.
type region struct {
	ttl    time.Duration  // static
	items  *gocache.Cache // safe by itself
	flight singleflight.Group

	mu         sync.Mutex   // held while items are dropped, and while a load keeps what it found
	generation atomic.Int64 // changes under mu

	hits, misses, evictions atomic.Int64
}

// New returns a cache with every region. A TTL that ttls does not name is the default one. Invalidations are
// announced on b and, while Run runs, received from it; a nil bus keeps them in this cache.
func New(b bus.Bus, ttls map[Region]time.Duration) *Cache {
	c := &Cache{bus: b, regions: make(map[Region]*region)}
	defaults := DefaultTTLs()
	for _, name := range Regions() {
		ttl := defaults[name]
		if given, ok := ttls[name]; ok && given > 0 {
			ttl = given
		}
		// No janitor of go-cache's own: it would be a goroutine that nobody waits for. Run sweeps.
		r := &region{ttl: ttl, items: gocache.New(ttl, 0)}
		r.items.OnEvicted(func(string, any) { r.evictions.Add(1) })
		c.regions[name] = r
	}
	return c
}

// Get returns the entry under key, and false when there is none, it expired, or it is of another type.
func Get[T any](c *Cache, name Region, key string) (T, bool) {
	var none T
	r := c.regions[name]
	if r == nil {
		return none, false
	}
	if value, ok := r.items.Get(key); ok {
		if typed, ok := value.(T); ok {
			r.hits.Add(1)
			return typed, true
		}
	}
	r.misses.Add(1)
	return none, false
}

// Set puts value under key for the region's TTL, or for the one given.
func (c *Cache) Set(name Region, key string, value any, ttl ...time.Duration) {
	r := c.regions[name]
	if r == nil {
		return
	}
	life := r.ttl
	if len(ttl) > 0 && ttl[0] > 0 {
		life = ttl[0]
	}
	r.items.Set(key, value, life)
}

// Invalidate drops key, or the whole region when key is "", here and on every other server.
func (c *Cache) Invalidate(name Region, key string) {
	c.drop(name, key)
	if c.bus != nil {
		c.bus.Publish(bus.Hint{Topic: topic(name), ID: key})
	}
}

// Load returns the entry under key, or calls load once for all who ask at the same time and keeps what it
// returns. An error is returned to all of them and not kept.
func Load[T any](c *Cache, name Region, key string, load func() (T, error)) (T, error) {
	if value, ok := Get[T](c, name, key); ok {
		return value, nil
	}
	r := c.regions[name]
	if r == nil {
		return load()
	}
	before := r.generation.Load()
	value, err, _ := r.flight.Do(strconv.FormatInt(before, 36)+" "+key, func() (any, error) {
		value, err := load()
		if err == nil {
			r.keep(key, value, before)
		}
		return value, err
	})
	if err != nil {
		var none T
		return none, err
	}
	typed, ok := value.(T)
	if !ok { // two callers use one key for two types
		return load()
	}
	return typed, nil
}

// keep puts a loaded value under key unless something was invalidated since before.
func (r *region) keep(key string, value any, before int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.generation.Load() == before {
		r.items.Set(key, value, r.ttl)
	}
}

// Run receives invalidations from other servers and drops expired entries until ctx ends. It begins empty: what was
// kept before it listened may have been invalidated since.
func (c *Cache) Run(ctx context.Context) error {
	var hints <-chan bus.Hint
	missed := func() bool { return false }
	if c.bus != nil {
		subscription := c.bus.Subscribe(1024, topics()...)
		defer subscription.Close()
		hints, missed = subscription.C(), subscription.Missed
		c.dropAll()
	}
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			c.sweep()
		case hint, open := <-hints:
			if !open {
				hints = nil // the bus is gone: TTLs still bound how stale an entry may be
				continue
			}
			c.drop(Region(hint.Topic[len(topicPrefix):]), hint.ID)
		}
		if missed() {
			c.dropAll()
		}
	}
}
