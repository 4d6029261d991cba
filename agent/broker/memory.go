package broker

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"
)

// memory is a Remote that keeps everything in this process.
type memory struct {
	mu      sync.Mutex
	entries map[string]memoryEntry // guarded by mu; keys begin with "kv " or "cache "
}

type memoryEntry struct {
	value   json.RawMessage
	expires time.Time // zero: never
}

// NewMemory makes a Remote that keeps kv and cache in memory, for tools that run one plugin without a server.
func NewMemory(_ string) Remote { return &memory{entries: map[string]memoryEntry{}} }

// Call does one operation.
func (m *memory) Call(_ context.Context, op string, req json.RawMessage) (json.RawMessage, error) {
	var r struct {
		stateRequest
		Prefix string `json:"prefix"`
	}
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch op {
	case "kv.get":
		return reply(m.get("kv " + r.Key))
	case "cache.get":
		return reply(m.get("cache " + r.Name))
	case "kv.set":
		m.set("kv "+r.Key, r.Value, r.TTL)
	case "cache.set":
		m.set("cache "+r.Name, r.Value, r.TTL)
	case "kv.delete":
		found := m.get("kv " + r.Key).Found
		delete(m.entries, "kv "+r.Key)
		return reply(map[string]bool{"found": found})
	case "kv.list":
		return reply(m.list(r.Prefix, r.Limit))
	default:
		return nil, errorf("unsupported_op", "There is no operation %q.", op)
	}
	return json.RawMessage("{}"), nil
}

func reply(v any) (json.RawMessage, error) { return json.Marshal(v) }

func (m *memory) get(key string) foundReply {
	e, ok := m.entries[key]
	if ok && !e.expires.IsZero() && time.Now().After(e.expires) {
		delete(m.entries, key)
		return foundReply{}
	}
	return foundReply{ok, e.value}
}

func (m *memory) set(key string, value json.RawMessage, ttl float64) {
	e := memoryEntry{value: slices.Clone(value)}
	if ttl > 0 {
		e.expires = time.Now().Add(time.Duration(ttl * float64(time.Second)))
	}
	m.entries[key] = e
}

func (m *memory) list(prefix string, limit int) any {
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	keys := []string{}
	for key := range m.entries {
		if name, ok := strings.CutPrefix(key, "kv "); ok && strings.HasPrefix(name, prefix) && m.get(key).Found {
			keys = append(keys, name)
		}
	}
	slices.Sort(keys)
	more := len(keys) > limit
	return struct {
		Keys []string `json:"keys"`
		More bool     `json:"more"`
	}{keys[:min(len(keys), limit)], more}
}
