// Package broker does for a guest what the guest was granted: it is the only way from the sandbox to the world.
//
// Everything is denied unless the grant of an administrator and the policy of the agent's owner both allow it.
// What an operation is asked and answers is in docs/plugins.md. It needs no server, so that an author's tool can
// use it too.
package broker

import (
	"cmp"
	"context"
	"encoding/json"
	"net"
	"strconv"
	"time"

	"octopus/agent/policy"
	"octopus/agent/redact"
	"octopus/sdk/spec"
)

// Config says for whom a broker works and what it may do.
type Config struct {
	// Plugin is named in refusals.
	Plugin string
	// Grant is manifest ∩ administrator's grant.
	Grant spec.Capabilities
	// Policy is the owner's last word. Defaults to no restriction.
	Policy *policy.Policy
	// Ended says why no operation is done any more, nil while they are: what runs here may have been given to another
	// agent. Defaults to never.
	Ended func() *Error
	// Remote answers kv.*, cache.* and secret.get. Defaults to none: they are "unavailable". NewMemory makes one for tools.
	Remote Remote
	// Broadcast reads an entry of the broadcast region. Defaults to none.
	Broadcast func(name string) (json.RawMessage, bool)
	// Resolver looks names up. Defaults to the system's.
	Resolver *net.Resolver
	// RootsFile holds further certificate roots for http.fetch and tcp.probe, PEM. Defaults to the system's roots.
	RootsFile string
	// Redact learns each secret that the execution receives, so that it can be taken out of what leaves. Defaults to
	// none.
	Redact *redact.Redactor
	// Artifacts keeps what artifact.put hands over. Defaults to refusing it.
	Artifacts Artifacts
	// ArtifactBytes is how much of it an execution may hand over. Defaults to wire.MaxArtifactBytes.
	ArtifactBytes int64
	// Scripts lets script.run run. Defaults to refusing it.
	Scripts *Scripts
	// Private is a folder, as a clean path without symbolic links, that file.* never touches: the agent's own. Defaults
	// to none.
	Private string
	// Cancelled is closed when the execution is to end: a command is asked to, before it is killed. Defaults to never.
	Cancelled <-chan struct{}
	// DryRun records what would change something and answers as if it were done.
	DryRun bool
	// OnCall is told of each call after it ended; for tools. Defaults to none.
	OnCall func(Record)
}

// Remote answers the operations that need state elsewhere: kv.*, cache.* and secret.get. The error may be *Error.
type Remote interface {
	Call(ctx context.Context, op string, req json.RawMessage) (json.RawMessage, error)
}

// Record is one host call, for tools that show them.
type Record struct {
	Op      string          `json:"op"`
	Intent  string          `json:"intent,omitempty"` // what a dry run would have done, in words
	Target  string          `json:"target,omitempty"` // URL, host, key or name
	Request json.RawMessage `json:"request,omitempty"`
	Millis  float64         `json:"duration_ms"`
	Error   string          `json:"error,omitempty"` // code
	DryRun  bool            `json:"dry_run,omitempty"`
}

// Broker implements wasmplugins.Broker for one execution. It is used by one goroutine at a time.
type Broker struct {
	config Config
	web    *web // made by the first http.fetch
	rates  map[string]*rated

	secrets secrets
	written int64 // bytes, by file.write
	kept    kept  // by artifact.put
}

// New makes the broker of one execution.
func New(c Config) *Broker { return &Broker{config: c, rates: map[string]*rated{}} }

// Close gives back connections. The broker is not used after it.
func (b *Broker) Close() {
	if b.web != nil {
		b.web.transport.CloseIdleConnections()
	}
}

// operation does one call. Its reply is encoded as JSON; an error beside a reply is put into it.
type operation func(ctx context.Context, req []byte) (any, *Error)

// ops is the table of contents. log, progress and cancelled are answered by the sandbox itself.
func (b *Broker) ops(op string) (capability string, do operation) {
	switch op {
	case "http.fetch":
		return "http", b.fetch
	case "tcp.probe":
		return "net", b.probe
	case "dns.lookup":
		return "net", b.lookup
	case "host.info":
		return "host", b.hostInfo
	case "file.read", "file.write", "file.list", "file.stat", "file.delete":
		return "files", func(ctx context.Context, req []byte) (any, *Error) { return b.file(ctx, op, req) }
	case "exec.run":
		return "exec", b.exec
	case "script.run":
		return "script", b.script
	case "kv.get", "kv.set", "kv.delete", "kv.list":
		return "kv", func(ctx context.Context, req []byte) (any, *Error) { return b.kv(ctx, op, req) }
	case "secret.get":
		return "secrets", b.secretGet
	case "artifact.put":
		return "artifact", func(_ context.Context, req []byte) (any, *Error) { return b.artifactPut(req) }
	case "cache.get", "cache.set":
		return "cache", func(ctx context.Context, req []byte) (any, *Error) { return b.cache(ctx, op, req) }
	}
	return "", nil
}

// Call does one operation. A refusal is a reply {"error": …}, not a Go error, so that the guest can read it.
func (b *Broker) Call(ctx context.Context, op string, req []byte) ([]byte, error) {
	start := time.Now()
	if len(req) == 0 {
		req = []byte("{}")
	}
	reply, failure := b.do(ctx, op, req)
	if b.config.OnCall != nil {
		r := Record{Op: op, Target: targetOf(req), Request: req, Millis: millis(time.Since(start)), DryRun: b.config.DryRun && changes(op, req)}
		if failure != nil {
			r.Error = failure.Code
		} else if r.DryRun {
			r.Intent = intent(op, req)
		}
		b.config.OnCall(r)
	}
	return encode(reply, failure), nil
}

func (b *Broker) do(ctx context.Context, op string, req []byte) (any, *Error) {
	capability, do := b.ops(op)
	if do == nil {
		return nil, errorf("unsupported_op", "This agent does not offer the operation %q.", op)
	}
	if failure := b.slow(ctx, capability); failure != nil {
		return nil, failure
	}
	if b.config.Ended != nil {
		if failure := b.config.Ended(); failure != nil {
			return nil, failure
		}
	}
	return do(ctx, req)
}

// encode puts a failure into the reply's object, beside what is known already.
func encode(reply any, failure *Error) []byte {
	raw := []byte("{}")
	if reply != nil {
		var err error
		if raw, err = json.Marshal(reply); err != nil {
			raw, failure = []byte("{}"), errorf("internal", "The agent could not write down its answer.")
		}
	}
	if failure == nil {
		return raw
	}
	body, _ := json.Marshal(failure)
	out := append([]byte(`{"error":`), body...)
	if len(raw) > len("{}") {
		out = append(out, ',')
	}
	return append(out, raw[1:]...)
}

// decode reads a request. Unknown fields are ignored, so that newer plugins run here.
func decode(req []byte, into any) *Error {
	if err := json.Unmarshal(req, into); err != nil {
		return errorf("invalid_request", "The request is not the JSON object that this operation takes: %s.", err)
	}
	return nil
}

// changes says whether an operation would change something in the world: a dry run only records those.
func changes(op string, req []byte) bool {
	switch op {
	case "kv.set", "kv.delete", "cache.set", "file.write", "file.delete", "exec.run", "script.run", "artifact.put":
		return true
	case "http.fetch":
		var r fetchRequest
		return json.Unmarshal(req, &r) == nil && !harmless(r.method())
	}
	return false
}

// targetOf is what a call is about, for people.
func targetOf(req []byte) string {
	var r struct {
		URL, Host, Name, Key, Path, Interpreter string
		Port                                    int
	}
	if json.Unmarshal(req, &r) != nil {
		return ""
	}
	if r.Host != "" && r.Port != 0 {
		return net.JoinHostPort(r.Host, strconv.Itoa(r.Port))
	}
	return cmp.Or(r.URL, r.Host, r.Name, r.Key, r.Path, r.Interpreter)
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
