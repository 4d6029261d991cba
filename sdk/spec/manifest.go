package spec

import (
	"encoding/json"
	"time"
)

// Manifest is what a plugin says of itself, packed as JSON into the wasm
// custom section "octopus.manifest".
type Manifest struct {
	Schema       string          `json:"schema"`
	ABI          int             `json:"abi"`
	Name         string          `json:"name"`
	Version      string          `json:"version"`
	Description  string          `json:"description,omitempty"`
	Author       string          `json:"author,omitempty"`
	License      string          `json:"license,omitempty"`
	Homepage     string          `json:"homepage,omitempty"`
	Actions      []Action        `json:"actions"`
	Capabilities Capabilities    `json:"capabilities,omitzero"`
	Limits       Limits          `json:"limits,omitzero"`
	Config       json.RawMessage `json:"config,omitempty"`
	Tests        []Test          `json:"tests,omitempty"`
}

// Action is one thing that a plugin can be asked to do.
type Action struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// Idempotent says that the action may be started again after its agent
	// was lost.
	Idempotent bool `json:"idempotent,omitempty"`
	// Params and Result are JSON Schemas (2020-12); empty means any object.
	Params   json.RawMessage `json:"params,omitempty"`
	Result   json.RawMessage `json:"result,omitempty"`
	Examples []string        `json:"examples,omitempty"`
}

// Limits are what a plugin asks for; zero means the default.
type Limits struct {
	Timeout Duration `json:"timeout,omitzero"`
	Memory  Size     `json:"memory,omitzero"`
	Fuel    uint64   `json:"fuel,omitempty"`
	Stdout  Size     `json:"stdout,omitzero"`
}

// Test is one case that the plugin brings along: it runs in the sandbox with
// faked host calls before the version is published.
type Test struct {
	Name   string          `json:"name"`
	Action string          `json:"action"`
	Params json.RawMessage `json:"params,omitempty"`
	Config json.RawMessage `json:"config,omitempty"`
	// Clock is where the plugin's clock stands, and Seed what its random
	// numbers come from; without them both are real. Sleeping takes no time
	// where there is a clock.
	Clock  time.Time `json:"clock,omitzero"`
	Seed   *uint64   `json:"seed,omitempty"`
	Fakes  Fakes     `json:"fakes,omitzero"`
	Expect Expect    `json:"expect"`
}

// Fakes are the answers that host calls get during a Test. DNS maps a name to
// its addresses, TCP a host:port to the reply of tcp.probe, Ops any other
// operation's name to its reply.
type Fakes struct {
	HTTP    []FakeHTTP                 `json:"http,omitempty"`
	KV      map[string]json.RawMessage `json:"kv,omitempty"`
	Cache   map[string]json.RawMessage `json:"cache,omitempty"`
	Secrets map[string]string          `json:"secrets,omitempty"`
	DNS     map[string][]string        `json:"dns,omitempty"`
	TCP     map[string]json.RawMessage `json:"tcp,omitempty"`
	Ops     map[string]json.RawMessage `json:"ops,omitempty"`
}

// FakeHTTP answers one http.fetch; an empty method or URL matches any. With
// RequestHeaders it answers only a request that sends them, with the fake
// secrets in their places.
type FakeHTTP struct {
	RequestHeaders map[string]string `json:"request_headers,omitempty"`
	Method         string            `json:"method,omitempty"`
	URL            string            `json:"url,omitempty"`
	Status         int               `json:"status"`
	Headers        map[string]string `json:"headers,omitempty"`
	Body           string            `json:"body,omitempty"`
}

// Expect is what a Test's response must look like; empty fields are not
// compared, and Result must be contained in the response's result.
type Expect struct {
	StatusCode int             `json:"status_code,omitempty"`
	Message    string          `json:"message,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"`
	ErrorCode  string          `json:"error_code,omitempty"`
}

// Problem is one thing that is wrong with a manifest. Path says where, as in
// "actions[0].name"; Message is a sentence.
type Problem struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}

// Action finds an action by its name.
func (m Manifest) Action(name string) (Action, bool) {
	for _, a := range m.Actions {
		if a.Name == name {
			return a, true
		}
	}
	return Action{}, false
}
