package api

import (
	"context"
	"slices"

	"octopus/internal/octopus"
	"octopus/sdk"
	"octopus/server/cache"
)

// shownEntries is how many entries of a region are listed.
const shownEntries = 500

func toRegion(s cache.RegionStats) sdk.CacheRegion {
	return sdk.CacheRegion{
		Region: string(s.Region), TTLSeconds: s.TTL.Seconds(), Items: s.Items,
		Hits: uint64(s.Hits), Misses: uint64(s.Misses), Evictions: uint64(s.Evictions),
	}
}

func (a *API) listCache(context.Context, *struct{}) (*list[sdk.CacheRegion], error) {
	return page(a.cache.Stats(), "", toRegion), nil
}

// RegionName is the path of a region of the cache.
type RegionName struct {
	Region string `path:"region" maxLength:"32" doc:"sessions, plugins, users, overview, broadcast or plugin data."`
}

func (r RegionName) known() (cache.Region, error) {
	if region := cache.Region(r.Region); slices.Contains(cache.Regions(), region) {
		return region, nil
	}
	return "", octopus.Errorf(octopus.CodeNotFound, "There is no such region. octopus cache list shows them.")
}

// stored regions are also rows, so that their entries can be shown; the others hold sessions and the like.
func stored(r cache.Region) bool { return r == cache.Broadcast || r == cache.PluginData }

func (a *API) getCacheRegion(ctx context.Context, in *RegionName) (*one[sdk.CacheRegion], error) {
	region, err := in.known()
	if err != nil {
		return nil, err
	}
	out := &one[sdk.CacheRegion]{}
	for _, s := range a.cache.Stats() {
		if s.Region == region {
			out.Body = toRegion(s)
		}
	}
	if !stored(region) {
		return out, nil
	}
	entries, err := a.store.CacheList(ctx, string(region), "", shownEntries)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		out.Body.Entries = append(out.Body.Entries, sdk.CacheEntry{
			Key: e.Key, Value: e.Value, ExpiresAt: utc(e.ExpiresAt), UpdatedAt: utc(e.UpdatedAt),
		})
	}
	return out, nil
}

// clearCacheRegion drops what is in memory, on every server. Rows stay: they are the truth.
func (a *API) clearCacheRegion(_ context.Context, in *RegionName) (*struct{}, error) {
	region, err := in.known()
	if err == nil {
		a.cache.Invalidate(region, "")
	}
	return nil, err
}

type setBroadcastInput struct {
	Key  string `path:"key" maxLength:"256" doc:"The entry's key."`
	Body sdk.SetCacheEntry
}

// broadcastTTL is how long a broadcast entry lives unless it says otherwise, in seconds.
const broadcastTTL = 3600

func (a *API) setBroadcast(ctx context.Context, in *setBroadcastInput) (*struct{}, error) {
	ttl := in.Body.TTLSeconds
	if ttl == 0 {
		ttl = broadcastTTL
	}
	if len(in.Body.Value) == 0 {
		return nil, octopus.InvalidField("/value", "A broadcast entry needs a value; delete it to take it back.")
	}
	err := a.store.CachePut(ctx, octopus.CacheEntry{
		Region: string(cache.Broadcast), Key: in.Key, Value: in.Body.Value, ExpiresAt: a.now().Add(duration(ttl)),
	})
	if err == nil {
		a.cache.Invalidate(cache.Broadcast, in.Key)
	}
	return nil, err
}

type cacheEntryKey struct {
	RegionName
	Key string `path:"key" maxLength:"256" doc:"The entry's key."`
}

func (a *API) deleteCacheEntry(ctx context.Context, in *cacheEntryKey) (*struct{}, error) {
	region, err := in.known()
	if err != nil {
		return nil, err
	}
	if !stored(region) {
		return nil, octopus.Errorf(octopus.CodeConflict, "Entries of %s cannot be removed one by one. Clear the region instead.", region)
	}
	if err := a.store.CacheDelete(ctx, string(region), in.Key); err != nil {
		return nil, err
	}
	a.cache.Invalidate(region, in.Key)
	return nil, nil
}
