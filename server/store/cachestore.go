package store

import (
	"context"
	"strings"

	"octopus/internal/octopus"
)

const putCacheSQL = `INSERT INTO cache_entries (region, key, value, expires_at, updated_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (region, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at, updated_at = excluded.updated_at`

func (t *tx) putCacheEntry(e *octopus.CacheEntry) error {
	_, err := t.exec(putCacheSQL, e.Region, clean(e.Key), clean(string(e.Value)), micros(e.ExpiresAt), micros(t.now))
	t.hintCache(e.Region, e.Key)
	return err
}

func (t *tx) hintCache(region, key string) {
	t.hint("cache:"+region, key)
	if region == "broadcast" {
		t.hint("broadcast", key)
	}
}

// CachePut puts one entry into the shared cache rows. A zero ExpiresAt never expires.
func (s *Store) CachePut(ctx context.Context, e octopus.CacheEntry) error {
	return s.write(ctx, func(t *tx) error { return s.fail("cache entry", t.putCacheEntry(&e)) })
}

const cacheColumns = "region, key, value, expires_at, updated_at"

func scanCacheEntry(row scanner) (e octopus.CacheEntry, err error) {
	err = row.Scan(&e.Region, &e.Key, rawInto{&e.Value}, timeInto{&e.ExpiresAt}, timeInto{&e.UpdatedAt})
	return e, err
}

// CacheGet returns an entry that has not expired.
func (s *Store) CacheGet(ctx context.Context, region, key string) (e octopus.CacheEntry, found bool, err error) {
	e, err = scanCacheEntry(s.reads.row(ctx, "SELECT "+cacheColumns+
		" FROM cache_entries WHERE region = ? AND key = ? AND (expires_at = 0 OR expires_at > ?)", region, key, micros(s.Now())))
	if isNoRow(err) {
		return e, false, nil
	}
	return e, err == nil, s.fail("cache entry", err)
}

// CacheList returns the entries of a region whose key begins with prefix, by key. A limit of 0 is MaxLimit.
func (s *Store) CacheList(ctx context.Context, region, prefix string, limit int) ([]octopus.CacheEntry, error) {
	if limit <= 0 {
		limit = MaxLimit
	}
	entries, err := list(ctx, s.reads, scanCacheEntry, "SELECT "+cacheColumns+
		` FROM cache_entries WHERE region = ? AND key LIKE ? ESCAPE '\' AND (expires_at = 0 OR expires_at > ?) ORDER BY key LIMIT ?`,
		region, escapeLike(prefix)+"%", micros(s.Now()), limit)
	return entries, s.fail("cache entries", err)
}

// CacheDelete removes an entry, or a whole region when key is "".
func (s *Store) CacheDelete(ctx context.Context, region, key string) error {
	return s.write(ctx, func(t *tx) (err error) {
		if key == "" {
			_, err = t.exec("DELETE FROM cache_entries WHERE region = ?", region)
		} else {
			_, err = t.exec("DELETE FROM cache_entries WHERE region = ? AND key = ?", region, key)
		}
		t.hintCache(region, key)
		return s.fail("cache entry", err)
	})
}

// escapeLike makes text match itself in a LIKE with ESCAPE '\'.
func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
