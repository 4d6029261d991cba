package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/sdk/spec"
	"octopus/server/bus"
)

// Limits of what plugins keep on the server.
const (
	maxValue       = 256 << 10 // bytes of a value
	maxKey         = 512       // bytes of a key or name
	defaultKVBytes = 1 << 20   // where a grant names no size
	maxList        = 1000
)

// callRequest is the request of every op of kv, cache and secret.
type callRequest struct {
	Key        string          `json:"key"`
	Name       string          `json:"name"`
	Value      json.RawMessage `json:"value"`
	TTLSeconds float64         `json:"ttl_seconds"`
	Prefix     string          `json:"prefix"`
	Limit      int             `json:"limit"`
}

// caller is on whose behalf a call is made.
type caller struct {
	plugin    string
	digest    string
	execution string
}

// call answers an operation that needs the server's state, in the lane of calls of the execution: it must not wait
// behind the execution's own writes, nor hold them up.
func (s *Session) call(ctx context.Context, m *wire.Call) error {
	d := s.d
	d.mu.Lock()
	h := s.holds(m.Execution, m.Fence)
	if h == nil || !h.running {
		d.mu.Unlock()
		s.send(&wire.Reply{ID: m.ID, Error: &wire.CallError{Code: "cancelled", Message: "The execution does not run any more."}})
		return nil
	}
	who := caller{plugin: h.plugin, digest: h.digest, execution: m.Execution}
	d.mu.Unlock()
	return d.steps.do(ctx, "call "+m.Execution, func() { s.send(d.answerCall(d.base, who, m)) })
}

func (d *Dispatcher) answerCall(ctx context.Context, who caller, m *wire.Call) *wire.Reply {
	r := &wire.Reply{ID: m.ID}
	var q callRequest
	if len(m.Request) > 0 && json.Unmarshal(m.Request, &q) != nil {
		r.Error = &wire.CallError{Code: "invalid_request", Message: "The request of " + clip(m.Op, 40) + " is not an object with the fields that it takes."}
		return r
	}
	answer, err := d.op(ctx, who, m.Op, q)
	if err != nil {
		r.Error = callError(err)
		return r
	}
	if r.Response, err = wire.Raw(answer); err != nil {
		r.Error = callError(err)
	}
	return r
}

// opError is a refusal with a code of the host operations' own.
type opError struct{ code, message string }

func (e *opError) Error() string { return e.message }

func callError(err error) *wire.CallError {
	var refused *opError
	if errors.As(err, &refused) {
		return &wire.CallError{Code: refused.code, Message: refused.message}
	}
	switch octopus.CodeOf(err) {
	case octopus.CodeTooLarge:
		return &wire.CallError{Code: "quota", Message: octopus.Sentence(err)}
	case octopus.CodeInvalid, octopus.CodeMalformed:
		return &wire.CallError{Code: "invalid_request", Message: octopus.Sentence(err)}
	case octopus.CodeNoSpace, octopus.CodeUnavailable:
		return &wire.CallError{Code: "unavailable", Message: octopus.Sentence(err)}
	}
	return &wire.CallError{Code: "internal", Message: octopus.Sentence(err)}
}

func (d *Dispatcher) op(ctx context.Context, who caller, op string, q callRequest) (any, error) {
	switch op {
	case "kv.get", "kv.set", "kv.delete", "kv.list":
		return d.kv(ctx, who, op, q)
	case "cache.get":
		return d.cacheGet(ctx, who, q)
	case "cache.set":
		return d.cacheSet(ctx, who, q)
	case "secret.get":
		return d.secretGet(ctx, who, q)
	}
	return nil, &opError{"unsupported_op", "This server does not offer the operation " + clip(op, 40) + "."}
}

func (d *Dispatcher) kv(ctx context.Context, who caller, op string, q callRequest) (any, error) {
	f, err := d.facts(ctx, who.digest)
	if err != nil {
		return nil, err
	}
	var caps spec.Capabilities
	if json.Unmarshal(f.grant, &caps) != nil || caps.KV == nil {
		return nil, &opError{"denied", "The key-value store is not granted to " + who.plugin + "."}
	}
	if op == "kv.list" {
		limit := q.Limit
		if limit <= 0 || limit > maxList {
			limit = maxList
		}
		keys, more, err := d.store.KVList(ctx, who.plugin, q.Prefix, limit)
		if n := fitting(keys); n < len(keys) {
			keys, more = keys[:n], true
		}
		return map[string]any{"keys": nonNil(keys), "more": more}, err
	}
	if q.Key == "" || len(q.Key) > maxKey {
		return nil, &opError{"invalid_request", "A key is 1 to 512 bytes long."}
	}
	switch op {
	case "kv.get":
		value, found, err := d.store.KVGet(ctx, who.plugin, q.Key)
		return foundReply(found, value), err
	case "kv.delete":
		found, err := d.store.KVDelete(ctx, who.plugin, q.Key)
		return map[string]any{"found": found}, err
	}
	quota := f.kvBytes
	if quota <= 0 {
		quota = defaultKVBytes
	}
	if err := checkValue(q.Value); err != nil {
		return nil, err
	}
	return struct{}{}, d.store.KVSet(ctx, who.plugin, q.Key, q.Value, seconds(q.TTLSeconds), quota)
}

func (d *Dispatcher) cacheGet(ctx context.Context, who caller, q callRequest) (any, error) {
	if q.Name == "" || len(q.Name) > maxKey {
		return nil, &opError{"invalid_request", "A name is 1 to 512 bytes long."}
	}
	region, key := regionPluginData, pluginKey(who.plugin, q.Name)
	if name, ok := strings.CutPrefix(q.Name, "broadcast/"); ok {
		region, key = regionBroadcast, name
	}
	e, found, err := d.store.CacheGet(ctx, region, key)
	if err != nil {
		return nil, err
	}
	return foundReply(found, e.Value), nil
}

func (d *Dispatcher) cacheSet(ctx context.Context, who caller, q callRequest) (any, error) {
	switch {
	case q.Name == "" || len(q.Name) > maxKey:
		return nil, &opError{"invalid_request", "A name is 1 to 512 bytes long."}
	case strings.HasPrefix(q.Name, "broadcast/"):
		return nil, &opError{"denied", "Only people put entries into the broadcast region."}
	}
	if err := checkValue(q.Value); err != nil {
		return nil, err
	}
	ttl := seconds(q.TTLSeconds)
	if ttl <= 0 {
		ttl = spec.DefaultCacheTTL * time.Second
	}
	now := d.store.Now()
	key := pluginKey(who.plugin, q.Name)
	err := d.store.CachePut(ctx, octopus.CacheEntry{Region: regionPluginData, Key: key, Value: q.Value, ExpiresAt: now.Add(ttl), UpdatedAt: now})
	if err == nil {
		d.publish(bus.Hint{Topic: "cache:" + regionPluginData, ID: key})
	}
	return struct{}{}, err
}

// fitting is how many keys one reply carries.
func fitting(keys []string) int {
	size := 0
	for i, key := range keys {
		raw, err := wire.Raw(key)
		if size += len(raw) + len(","); err != nil || size > maxValue {
			return i
		}
	}
	return len(keys)
}

func checkValue(v json.RawMessage) error {
	if len(v) == 0 {
		return &opError{"invalid_request", "The value is missing."}
	}
	if len(v) > maxValue {
		return &opError{"too_large", "A value is at most 256 KiB."}
	}
	return nil
}

// foundReply is the reply of a get.
func foundReply(found bool, value json.RawMessage) any {
	if !found || len(value) == 0 {
		value = json.RawMessage("null")
	}
	return map[string]any{"found": found, "value": value}
}

func seconds(n float64) time.Duration {
	if !(n > 0) {
		return 0
	}
	return time.Duration(min(n, 1e9) * float64(time.Second))
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
