package sdk

import (
	"context"
	"encoding/json"
	"time"
)

// Page is one page of a list. NextCursor is "" on the last.
type Page[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor,omitempty"`
}

// CacheRegion is one region of the server's cache with its counters since the start.
type CacheRegion struct {
	Region     string       `json:"region"`
	TTLSeconds float64      `json:"ttl_seconds"`
	Items      int          `json:"items"`
	Hits       uint64       `json:"hits"`
	Misses     uint64       `json:"misses"`
	Evictions  uint64       `json:"evictions"`
	Entries    []CacheEntry `json:"entries,omitempty" doc:"Of the regions broadcast and plugin data, when one region is read."`
}

// CacheEntry is one entry of the regions broadcast or plugin data.
type CacheEntry struct {
	Key       string          `json:"key"`
	Value     json.RawMessage `json:"value"`
	ExpiresAt time.Time       `json:"expires_at,omitzero"`
	UpdatedAt time.Time       `json:"updated_at,omitzero"`
}

// SetCacheEntry is the body of PUT /cache/broadcast/{key}.
type SetCacheEntry struct {
	Value      json.RawMessage `json:"value"`
	TTLSeconds float64         `json:"ttl_seconds,omitempty" minimum:"0" maximum:"31536000" doc:"Left out: one hour."`
}

// Overview is the state of the whole house in numbers.
type Overview struct {
	Queued      int            `json:"queued"`
	Running     int            `json:"running"`
	AgentsTotal int            `json:"agents_total"`
	AgentsUp    int            `json:"agents_online"`
	Last24h     map[string]int `json:"last_24h" doc:"Executions that ended in the last 24 hours, by status."`
	PerHour     []HourCount    `json:"per_hour,omitempty"`
}

// HourCount is how many executions ended in one hour.
type HourCount struct {
	Hour      time.Time `json:"hour"`
	Succeeded int       `json:"succeeded"`
	Failed    int       `json:"failed"`
	Other     int       `json:"other"`
}

// System says what the server is and how it does.
type System struct {
	Version       string    `json:"version"`
	Database      string    `json:"database" doc:"sqlite or postgres, with its version."`
	SizeBytes     int64     `json:"size_bytes,omitempty"`
	SchemaVersion int64     `json:"schema_version,omitempty"`
	AgentsOnline  int       `json:"agents_online"`
	StartedAt     time.Time `json:"started_at"`
	// What the server's process holds and did since its start.
	MemoryBytes        int64 `json:"memory_bytes" doc:"Memory that the server has from the operating system."`
	HeapBytes          int64 `json:"heap_bytes" doc:"What of it was in use after the last garbage collection."`
	DatabaseStatements int64 `json:"database_statements" doc:"Statements that this server has executed since its start."`
}

// Problem is an error as application/problem+json (RFC 9457).
type Problem struct {
	Type      string         `json:"type" example:"about:blank"`
	Title     string         `json:"title" example:"Unprocessable Entity"`
	Status    int            `json:"status" example:"422"`
	Code      string         `json:"code" example:"invalid" doc:"malformed, unauthenticated, denied, not_found, conflict, stale, too_large, invalid, too_old, rate_limited, internal, unavailable or no_space."`
	Detail    string         `json:"detail" doc:"One sentence for a person, with what to do next."`
	Errors    []FieldProblem `json:"errors,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
}

// FieldProblem says what is wrong with one field: a JSON pointer into the body such as /params/url, or the bare
// name of a query parameter or header.
type FieldProblem struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Overview returns the state of the whole house in numbers.
func (c *Client) Overview(ctx context.Context) (o Overview, err error) {
	err = c.do(ctx, "GET", "/overview", nil, nil, &o)
	return o, err
}

// System returns what the server is and how it does.
func (c *Client) System(ctx context.Context) (s System, err error) {
	err = c.do(ctx, "GET", "/system", nil, nil, &s)
	return s, err
}

// CacheRegions lists the regions of the server's cache.
func (c *Client) CacheRegions(ctx context.Context) (page Page[CacheRegion], err error) {
	err = c.do(ctx, "GET", "/cache", nil, nil, &page)
	return page, err
}

// CacheRegion returns one region, with the entries of broadcast and plugin data.
func (c *Client) CacheRegion(ctx context.Context, region string) (r CacheRegion, err error) {
	err = c.do(ctx, "GET", path("cache", region), nil, nil, &r)
	return r, err
}

// ClearCache drops what a region holds in memory, on every server. It is read again from the database.
func (c *Client) ClearCache(ctx context.Context, region string) error {
	return c.do(ctx, "DELETE", path("cache", region), nil, nil, nil)
}

// SetBroadcast puts an entry that every agent gets.
func (c *Client) SetBroadcast(ctx context.Context, key string, e SetCacheEntry) error {
	return c.do(ctx, "PUT", path("cache", "broadcast", key), nil, e, nil)
}

// DeleteCacheEntry removes one entry of broadcast or plugin data.
func (c *Client) DeleteCacheEntry(ctx context.Context, region, key string) error {
	return c.do(ctx, "DELETE", path("cache", region, key), nil, nil, nil)
}
