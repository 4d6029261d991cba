package store

import (
	"context"
	"encoding/json"
	"time"

	"octopus/internal/octopus"
)

// KVGet returns a plugin's stored value.
func (s *Store) KVGet(ctx context.Context, plugin, key string) (value json.RawMessage, found bool, err error) {
	err = s.reads.row(ctx, "SELECT value FROM plugin_values WHERE plugin = ? AND key = ? AND (expires_at = 0 OR expires_at > ?)",
		plugin, clean(key), micros(s.Now())).Scan(rawInto{&value})
	if isNoRow(err) {
		return nil, false, nil
	}
	return value, err == nil, s.fail("plugin's value", err)
}

const sumValues = "SELECT coalesce(sum(length(key) + length(value)), 0) FROM plugin_values WHERE plugin = ? AND key <> ?"

// KVSet puts a value that lives for ttl (0: for good). Keys and values of one plugin over quota bytes are
// CodeTooLarge.
func (s *Store) KVSet(ctx context.Context, plugin, key string, value json.RawMessage, ttl time.Duration, quota int64) error {
	key = clean(key)
	return s.write(ctx, func(t *tx) error {
		used, err := one[int64](t.row(context.Background(), sumValues, plugin, key))
		if err != nil {
			return s.fail("plugin's value", err)
		}
		if used+int64(len(key)+len(value)) > quota {
			return octopus.Errorf(octopus.CodeTooLarge, "The values of %s would take more than the %d bytes that it was granted. Delete some, or grant more.", plugin, quota)
		}
		expires := int64(0)
		if ttl > 0 {
			expires = micros(t.now.Add(ttl))
		}
		_, err = t.exec(`INSERT INTO plugin_values (plugin, key, value, expires_at) VALUES (?, ?, ?, ?)
ON CONFLICT (plugin, key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`, plugin, key, clean(string(value)), expires)
		return s.fail("plugin's value", err)
	})
}

// KVDelete removes a plugin's value and reports whether there was one.
func (s *Store) KVDelete(ctx context.Context, plugin, key string) (found bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM plugin_values WHERE plugin = ? AND key = ?", plugin, clean(key))
		found = n > 0
		return s.fail("plugin's value", err)
	})
	return found, err
}

// KVList returns up to limit keys that begin with prefix, in order, and whether there are more.
func (s *Store) KVList(ctx context.Context, plugin, prefix string, limit int) (keys []string, more bool, err error) {
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	keys, err = list(ctx, s.reads, one[string], `SELECT key FROM plugin_values WHERE plugin = ? AND key LIKE ? ESCAPE '\'
AND (expires_at = 0 OR expires_at > ?) ORDER BY key LIMIT ?`, plugin, escapeLike(clean(prefix))+"%", micros(s.Now()), limit+1)
	if err == nil && len(keys) > limit {
		return keys[:limit], true, nil
	}
	return keys, false, s.fail("plugin's values", err)
}
