package cache

import "time"

const topicPrefix = "cache:"

func topic(name Region) string { return topicPrefix + string(name) }

func topics() []string {
	var names []string
	for _, name := range Regions() {
		names = append(names, topic(name))
	}
	return names
}

func (c *Cache) drop(name Region, key string) {
	r := c.regions[name]
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.generation.Add(1)
	if key == "" {
		r.evictions.Add(int64(r.items.ItemCount()))
		r.items.Flush()
		return
	}
	r.items.Delete(key)
}

// dropAll empties every region: hints were missed, so that any entry may be stale.
func (c *Cache) dropAll() {
	for name := range c.regions {
		c.drop(name, "")
	}
}

func (c *Cache) sweep() {
	for _, r := range c.regions {
		r.items.DeleteExpired()
	}
}

// RegionStats is what the system page shows of a region. The counters start with the process.
type RegionStats struct {
	Region    Region
	TTL       time.Duration
	Items     int
	Hits      int64
	Misses    int64
	Evictions int64 // expired or invalidated
}

// Stats reports every region, in the order of Regions.
func (c *Cache) Stats() []RegionStats {
	var stats []RegionStats
	for _, name := range Regions() {
		r := c.regions[name]
		stats = append(stats, RegionStats{
			Region: name, TTL: r.ttl, Items: r.items.ItemCount(),
			Hits: r.hits.Load(), Misses: r.misses.Load(), Evictions: r.evictions.Load(),
		})
	}
	return stats
}
