package broker

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"octopus/agent/redact"
	"octopus/sdk/spec"
)

// maxHeader is how long a header may be once secrets are in it, in bytes.
const maxHeader = 128 << 10

// secrets are those that an execution received. They are forgotten with the broker.
type secrets struct {
	values map[string]string
	// hidden are those that the guest must not see, also where a server sends them back.
	hidden redact.Redactor
}

// secretGet is secret.get: the guest reads a value that it was granted to see.
func (b *Broker) secretGet(ctx context.Context, req []byte) (any, *Error) {
	var r struct {
		Name string `json:"name"`
	}
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	s, failure := b.maySecret(r.Name)
	if failure != nil {
		return nil, failure
	}
	if !s.MayRead() {
		return nil, errorf("denied", "%s may not read the secret %s, only have it put into a request's header, as {{secret:%s}}. A manifest that needs the value asks for expose: value.",
			b.plugin(), r.Name, r.Name)
	}
	value, failure := b.secret(ctx, r.Name)
	if failure != nil {
		return nil, failure
	}
	return map[string]string{"value": value}, nil
}

// maySecret checks grant and policy.
func (b *Broker) maySecret(name string) (spec.Secret, *Error) {
	if failure := checkName("name", name); failure != nil {
		return spec.Secret{}, failure
	}
	s, granted := b.config.Grant.Secret(name)
	if !granted {
		return s, b.notGranted("the secret " + name)
	}
	if !b.config.Policy.Secret(name) {
		return s, b.notAllowed("the secret " + name)
	}
	return s, nil
}

// secret is the value of a secret that the execution may use. It is asked for once.
func (b *Broker) secret(ctx context.Context, name string) (string, *Error) {
	s, failure := b.maySecret(name)
	if failure != nil {
		return "", failure
	}
	if value, known := b.secrets.values[name]; known {
		return value, nil
	}
	reply, failure := b.remote(ctx, "secret.get", stateRequest{Name: name})
	if failure != nil {
		return "", failure
	}
	var answer struct {
		Value string `json:"value"`
	}
	if raw, ok := reply.(json.RawMessage); !ok || json.Unmarshal(raw, &answer) != nil || answer.Value == "" {
		return "", errorf("internal", "The server sent no value for the secret %s.", name)
	}
	if b.config.Redact != nil {
		b.config.Redact.Add(name, answer.Value)
	}
	if !s.MayRead() {
		b.secrets.hidden.Add(name, answer.Value)
	}
	if b.secrets.values == nil {
		b.secrets.values = map[string]string{}
	}
	b.secrets.values[name] = answer.Value
	return answer.Value, nil
}

// inject puts secrets into the headers that name them, and returns which those are.
func (b *Broker) inject(ctx context.Context, request *http.Request) (headers []string, failure *Error) {
	for name, values := range request.Header {
		if !spec.HasSecrets(values[0]) { // build sets one
			continue
		}
		if !confidential(request.URL) {
			return nil, errorf("denied", "The secret in the header %s is not sent to %s: over plain http anybody on the way could read it. Use https.", name, request.URL.Host)
		}
		full, err := spec.FillSecrets(values[0], func(secret string) (string, error) {
			value, refused := b.secret(ctx, secret)
			if refused != nil {
				failure = refused
				return "", refused
			}
			return value, nil
		})
		switch {
		case failure != nil:
			return nil, failure
		case err != nil:
			return nil, invalid("headers", "%s: %s.", name, err)
		case len(full) > maxHeader:
			return nil, errorf("too_large", "The header %s has %d bytes with its secrets; at most %d are sent.", name, len(full), maxHeader)
		case strings.ContainsAny(full, "\r\n\x00"):
			return nil, invalid("headers", "%s: a secret with several lines cannot be put into a header.", name)
		}
		request.Header.Set(name, full)
		headers = append(headers, name)
	}
	return headers, nil
}

// confidential says whether what is sent to u stays between the two ends.
func confidential(u *url.URL) bool {
	if u.Scheme == "https" || u.Hostname() == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return err == nil && addr.Unmap().IsLoopback()
}

// strips returns what takes injected headers out of a redirect that leads elsewhere: another host, another port, or
// from https to http. Once they are out they stay out, also where a later redirect leads back.
func strips(first *url.URL, headers []string) func(next *http.Request) {
	gone := false
	return func(next *http.Request) {
		gone = gone || next.URL.Scheme != first.Scheme || hostAndPort(next.URL) != hostAndPort(first)
		if gone {
			for _, name := range headers {
				next.Header.Del(name)
			}
		}
	}
}

func hostAndPort(u *url.URL) string {
	port, err := portOf(u)
	if err != nil {
		return u.Host
	}
	return hostPort(asciiHost(u.Hostname()), port)
}

// hide takes secrets that the guest must not see out of an answer.
func (b *Broker) hide(reply *fetchReply) {
	if !b.secrets.hidden.Knows() {
		return
	}
	for name, value := range reply.Headers {
		reply.Headers[name] = b.secrets.hidden.Text(value)
	}
	reply.FinalURL = b.secrets.hidden.Text(reply.FinalURL)
}

// WithSecrets answers secret.get from values, and asks remote for everything else: for tools without a server.
func WithSecrets(remote Remote, values map[string]string) Remote { return localSecrets{remote, values} }

type localSecrets struct {
	Remote
	values map[string]string
}

// Call answers secret.get.
func (l localSecrets) Call(ctx context.Context, op string, req json.RawMessage) (json.RawMessage, error) {
	if op != "secret.get" {
		return l.Remote.Call(ctx, op, req)
	}
	var r stateRequest
	if failure := decode(req, &r); failure != nil {
		return nil, failure
	}
	value, ok := l.values[r.Name]
	if !ok {
		return nil, errorf("not_found", "There is no value for the secret %s.", r.Name)
	}
	return json.Marshal(map[string]string{"value": value})
}
