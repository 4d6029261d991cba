// Package trial runs the test cases that a plugin brings along in its
// manifest: in the real sandbox, with faked host calls.
package trial

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"octopus/sdk/spec"
	"octopus/wasmplugins"
)

// NewBroker answers host calls from fakes. What no fake answers fails as the
// world would fail: no such name, connection refused. Every secret that is
// faked may be read, and no call is outside a manifest.
func NewBroker(f spec.Fakes) *Broker {
	var caps spec.Capabilities
	for name := range f.Secrets {
		caps.Secrets = append(caps.Secrets, spec.Secret{Name: name, Expose: "value"})
	}
	b := NewBrokerOf(f, caps)
	b.free = true
	return b
}

// NewBrokerOf is NewBroker within what a manifest asks for: any other call is
// denied, as every agent would, whether or not a fake answers it.
func NewBrokerOf(f spec.Fakes, caps spec.Capabilities) *Broker {
	return &Broker{fakes: f, caps: caps, kv: maps.Clone(f.KV), cache: maps.Clone(f.Cache)}
}

// Broker answers the host calls of one run. It is safe for concurrent use.
type Broker struct {
	fakes spec.Fakes        // static
	caps  spec.Capabilities // static
	free  bool              // static: there is no manifest to be outside of

	mu        sync.Mutex // guards what follows
	kv, cache map[string]json.RawMessage
	outside   []Outside
}

var _ wasmplugins.Broker = (*Broker)(nil)

// question is the union of what the faked operations ask.
type question struct {
	Method  string            `json:"method"`
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	Host    string            `json:"host"`
	Port    int               `json:"port"`
	Name    string            `json:"name"`
	Type    string            `json:"type"`
	Key     string            `json:"key"`
	Prefix  string            `json:"prefix"`
	Value   json.RawMessage   `json:"value"`

	Path        string   `json:"path"`
	Parts       []string `json:"parts"`
	Interpreter string   `json:"interpreter"`
}

// Call answers one operation.
func (b *Broker) Call(_ context.Context, op string, req []byte) ([]byte, error) {
	var q question
	if err := json.Unmarshal(req, &q); len(req) > 0 && err != nil {
		return refuse("invalid_request", "The request of %s is not valid JSON.", op)
	}
	if op == "http.fetch" && q.Method == "" {
		q.Method = "GET"
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if what := b.strays(op, q); what != "" {
		return refuse("denied", "The manifest does not ask for %s.", what)
	}
	if reply, ok := b.fakes.Ops[op]; ok {
		return reply, nil
	}
	switch op {
	case "http.fetch":
		return b.fetch(q)
	case "tcp.probe":
		return b.probe(q)
	case "dns.lookup":
		return b.lookup(q)
	case "secret.get":
		return b.secret(q)
	}
	area, verb, _ := strings.Cut(op, ".")
	switch area {
	case "kv":
		return keep(&b.kv, verb, q.Key, q)
	case "cache":
		return keep(&b.cache, verb, q.Name, q)
	}
	return refuse("unsupported_op", "No fake answers %s; add one under fakes.ops.", op)
}

// secret is secret.get, as an agent would answer it.
func (b *Broker) secret(q question) ([]byte, error) {
	s, asked := b.caps.Secret(q.Name)
	value, ok := b.fakes.Secrets[q.Name]
	switch {
	case !asked:
		return refuse("denied", "The manifest does not ask for the secret %s.", q.Name)
	case !s.MayRead():
		return refuse("denied", "The secret %s is only put into a request's header, as {{secret:%s}}. A manifest that needs the value asks for expose: value.", q.Name, q.Name)
	case !ok:
		return refuse("not_found", "No fake secret is named %s.", q.Name)
	}
	return json.Marshal(map[string]any{"value": value})
}

// header puts fake secrets into a header, as an agent would.
func (b *Broker) header(value string) (string, error) {
	return spec.FillSecrets(value, func(name string) (string, error) {
		if _, asked := b.caps.Secret(name); !asked {
			return "", fmt.Errorf("the manifest does not ask for the secret %s", name)
		}
		v, ok := b.fakes.Secrets[name]
		if !ok {
			return "", fmt.Errorf("no fake secret is named %s", name)
		}
		return v, nil
	})
}

func (b *Broker) fetch(q question) ([]byte, error) {
	headers := http.Header{}
	for name, value := range q.Headers {
		full, err := b.header(value)
		if err != nil {
			return refuse("denied", "The header %s: %v.", name, err)
		}
		headers.Set(name, full)
	}
	for _, f := range b.fakes.HTTP {
		if !fits(f, q) || !sends(headers, f.RequestHeaders) {
			continue
		}
		return json.Marshal(map[string]any{
			"status": f.Status, "headers": f.Headers, "body": f.Body, "bytes": len(f.Body), "duration_ms": 1, "final_url": q.URL,
		})
	}
	return refuse("unreachable", "No fake answers %s %s.", q.Method, q.URL)
}

// fits reports whether a fake is for a request, its headers aside.
func fits(f spec.FakeHTTP, q question) bool {
	return (f.Method == "" || f.Method == q.Method) && (f.URL == "" || f.URL == q.URL)
}

// sends reports whether a request has the headers that a fake waits for.
func sends(headers http.Header, want map[string]string) bool {
	for name, value := range want {
		if headers.Get(name) != value {
			return false
		}
	}
	return true
}

func (b *Broker) probe(q question) ([]byte, error) {
	where := net.JoinHostPort(q.Host, strconv.Itoa(q.Port))
	if reply, ok := b.fakes.TCP[where]; ok {
		return reply, nil
	}
	return refuse("refused", "No fake listens on %s.", where)
}

func (b *Broker) lookup(q question) ([]byte, error) {
	if q.Type == "" {
		q.Type = "A"
	}
	type record struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	var records []record
	for _, v := range b.fakes.DNS[q.Name] {
		records = append(records, record{q.Type, v})
	}
	if len(records) == 0 {
		return refuse("not_found", "No fake record is named %s.", q.Name)
	}
	return json.Marshal(map[string]any{"records": records, "duration_ms": 1})
}

// keep is get, set, delete and list on a map that fakes filled.
func keep(entries *map[string]json.RawMessage, verb, key string, q question) ([]byte, error) {
	value, found := (*entries)[key]
	switch verb {
	case "get":
		if !found {
			return []byte(`{"found":false}`), nil
		}
		return json.Marshal(map[string]any{"found": true, "value": value})
	case "set":
		if *entries == nil {
			*entries = map[string]json.RawMessage{}
		}
		(*entries)[key] = q.Value
		return []byte(`{}`), nil
	case "delete":
		delete(*entries, key)
		return json.Marshal(map[string]any{"found": found})
	case "list":
		keys := []string{}
		for _, k := range slices.Sorted(maps.Keys(*entries)) {
			if strings.HasPrefix(k, q.Prefix) {
				keys = append(keys, k)
			}
		}
		return json.Marshal(map[string]any{"keys": keys})
	}
	return refuse("unsupported_op", "There is no such operation.")
}

func refuse(code, format string, args ...any) ([]byte, error) {
	return json.Marshal(map[string]any{"ok": false, "error": map[string]string{"code": code, "message": fmt.Sprintf(format, args...)}})
}
