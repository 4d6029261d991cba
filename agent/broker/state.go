package broker

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"octopus/internal/wire"
)

// Caps of kv.* and cache.*.
const (
	maxKey    = 512            // bytes, of a name and a prefix too
	maxValue  = 256 << 10      // bytes
	maxTTL    = 30 * 24 * 3600 // seconds, of a cache entry
	broadcast = "broadcast/"
)

type stateRequest struct {
	Key    string          `json:"key,omitempty"`    // kv
	Prefix string          `json:"prefix,omitempty"` // kv.list
	Name   string          `json:"name,omitempty"`   // cache
	Value  json.RawMessage `json:"value,omitempty"`
	TTL    float64         `json:"ttl_seconds,omitempty"`
	Limit  int             `json:"limit,omitempty"`
}

type foundReply struct {
	Found bool            `json:"found"`
	Value json.RawMessage `json:"value,omitempty"`
}

// kv is the plugin's durable store on the server.
func (b *Broker) kv(ctx context.Context, op string, req []byte) (any, *Error) {
	if b.config.Grant.KV == nil {
		return nil, b.notGranted("kv")
	}
	if !b.config.Policy.KV() {
		return nil, b.notAllowed("kv")
	}
	var r stateRequest
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	if op == "kv.list" {
		if len(r.Prefix) > maxKey {
			return nil, invalid("prefix", "it must have at most %d bytes.", maxKey)
		}
	} else if failure := checkName("key", r.Key); failure != nil {
		return nil, failure
	}
	if op == "kv.set" {
		if failure := r.checkValue(); failure != nil {
			return nil, failure
		}
	}
	if b.config.DryRun && (op == "kv.set" || op == "kv.delete") {
		return struct{}{}, nil
	}
	return b.remote(ctx, op, r)
}

// cache is the plugin's corner of the server's cache, which needs no grant, and the broadcast region to read.
func (b *Broker) cache(ctx context.Context, op string, req []byte) (any, *Error) {
	var r stateRequest
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	if failure := checkName("name", r.Name); failure != nil {
		return nil, failure
	}
	shared, isBroadcast := strings.CutPrefix(r.Name, broadcast)
	if op == "cache.get" {
		if isBroadcast {
			return b.readBroadcast(shared), nil
		}
		return b.remote(ctx, op, r)
	}
	if isBroadcast {
		return nil, errorf("denied", "Plugins read broadcast entries; only people and the API write them.")
	}
	if failure := r.checkValue(); failure != nil {
		return nil, failure
	}
	if r.TTL > maxTTL {
		return nil, invalid("ttl_seconds", "a cache entry lives 30 days at most.")
	}
	if b.config.DryRun {
		return struct{}{}, nil
	}
	return b.remote(ctx, op, r)
}

func (b *Broker) readBroadcast(name string) foundReply {
	if b.config.Broadcast == nil {
		return foundReply{}
	}
	value, ok := b.config.Broadcast(name)
	if !ok {
		return foundReply{}
	}
	return foundReply{ok, value}
}

func checkName(field, name string) *Error {
	if name == "" || len(name) > maxKey {
		return invalid(field, "it must have 1 to %d bytes.", maxKey)
	}
	return nil
}

func (r stateRequest) checkValue() *Error {
	switch {
	case len(r.Value) == 0:
		return invalid("value", "it is missing.")
	case len(r.Value) > maxValue:
		return errorf("too_large", "The value has %d bytes; at most %d are stored.", len(r.Value), maxValue)
	case r.TTL < 0:
		return invalid("ttl_seconds", "it must not be negative.")
	}
	return nil
}

// remote asks the server. Only what was checked travels: what else the guest wrote into its request could be of any
// size, and too large a message would cost the agent its connection.
func (b *Broker) remote(ctx context.Context, op string, r stateRequest) (any, *Error) {
	if b.config.Remote == nil {
		return nil, ErrUnavailable
	}
	req, err := wire.Raw(r)
	if err != nil {
		return nil, errorf("invalid_request", "The request cannot be sent: %s.", plain(err))
	}
	reply, err := b.config.Remote.Call(ctx, op, req)
	var known *Error
	switch {
	case errors.As(err, &known):
		return nil, known
	case err != nil && ctx.Err() != nil:
		return nil, errorf("cancelled", "The execution is being cancelled.")
	case err != nil:
		return nil, errorf("internal", "The server could not answer: %s.", plain(err))
	case len(reply) == 0 || reply[0] != '{':
		return struct{}{}, nil
	}
	return reply, nil
}
