package broker

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"context"

	"octopus/agent/redact"
	"octopus/sdk/spec"
)

const apiToken = "s3cret/t0ken"

// asked counts what a Remote is asked.
type asked struct {
	Remote
	n atomic.Int32
}

func (a *asked) Call(ctx context.Context, op string, req json.RawMessage) (json.RawMessage, error) {
	a.n.Add(1)
	return a.Remote.Call(ctx, op, req)
}

func vault() *asked {
	return &asked{Remote: WithSecrets(NewMemory(""), map[string]string{"api_token": apiToken, "pin": "1337-1337", "pem": "line 1\nline 2"})}
}

// secretsGrant lets a plugin call loopback, have api_token and pem put into headers, and read pin.
func secretsGrant() spec.Capabilities {
	g := webGrant([]string{"*"}, []string{spec.Loopback}, "*")
	g.Secrets = []spec.Secret{{Name: "api_token"}, {Name: "pem", Expose: "header"}, {Name: "pin", Expose: "value"}, {Name: "none", Expose: "value"}}
	return g
}

// TestSecretGet: only what is exposed as a value is read, once, and whoever redacts learns it.
func TestSecretGet(t *testing.T) {
	t.Parallel()
	remote, redactor := vault(), new(redact.Redactor)
	b := newBroker(t, Config{Grant: secretsGrant(), Remote: remote, Redact: redactor})
	for range 2 {
		if reply, code, message := call(t, b, "secret.get", map[string]string{"name": "pin"}); reply["value"] != "1337-1337" {
			t.Errorf("%v %s: %s", reply, code, message)
		}
	}
	if remote.n.Load() != 1 {
		t.Errorf("asked %d times", remote.n.Load())
	}
	if got := redactor.Text("1337-1337"); got != "[secret pin]" {
		t.Error(got)
	}
	strict := parse(t, "capabilities:\n  secrets: [api_token]\n")
	for name, c := range map[string]struct {
		config        Config
		secret        any
		code, message string
	}{
		"header only":   {Config{Grant: secretsGrant(), Remote: remote}, "api_token", "denied", "{{secret:api_token}}"},
		"not granted":   {Config{Remote: remote}, "pin", "denied", "not granted to http-check"},
		"other":         {Config{Grant: secretsGrant(), Remote: remote}, "other", "denied", "not granted"},
		"owner":         {Config{Grant: secretsGrant(), Remote: remote, Policy: strict}, "pin", "denied", "The owner of this agent"},
		"not stored":    {Config{Grant: secretsGrant(), Remote: remote}, "none", "not_found", "no value"},
		"no server":     {Config{Grant: secretsGrant()}, "pin", "unavailable", "Try again"},
		"no name":       {Config{Grant: secretsGrant(), Remote: remote}, "", "invalid_request", "name"},
		"not a request": {Config{Grant: secretsGrant(), Remote: remote}, 1, "invalid_request", "JSON"},
	} {
		_, code, message := call(t, newBroker(t, c.config), "secret.get", map[string]any{"name": c.secret})
		if code != c.code || !strings.Contains(message, c.message) {
			t.Errorf("%s: %s: %s", name, code, message)
		}
	}
}

// TestInject: a secret reaches the host in its header, and the guest in no form.
func TestInject(t *testing.T) {
	t.Parallel()
	s := site(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Echo", r.Header.Get("Authorization"))
		fmt.Fprintf(w, "%s %s %s", r.Header.Get("Authorization"), base64.StdEncoding.EncodeToString([]byte("ada:"+apiToken)), r.Header.Get("X-Plain"))
	})
	b := newBroker(t, Config{Grant: secretsGrant(), Remote: vault()})
	fetch := func(more map[string]any, headers map[string]string) (map[string]any, string, string) {
		more["url"], more["headers"] = s.URL, headers
		return call(t, b, "http.fetch", more)
	}
	reply, code, message := fetch(map[string]any{}, map[string]string{"authorization": "Bearer {{secret:api_token}}", "X-Plain": "{{secret}} {{secret:pin}}"})
	body, _ := reply["body"].(string)
	if code != "" || !strings.HasPrefix(body, "Bearer [secret api_token] ") || !strings.HasSuffix(body, " {{secret}} 1337-1337") || strings.Contains(body, apiToken) {
		t.Errorf("%s %s: %s", code, message, body)
	}
	if echo := reply["headers"].(map[string]any)["X-Echo"]; echo != "Bearer [secret api_token]" {
		t.Errorf("%v", echo)
	}
	if encoded := base64.StdEncoding.EncodeToString([]byte(apiToken)); strings.Contains(body, encoded[2:10]) {
		t.Errorf("%s still holds it in base64", body)
	}
	for n := 1; n < 30; n++ { // cut anywhere, it leaves no part of it
		reply, _, _ := fetch(map[string]any{"max_bytes": n}, map[string]string{"Authorization": "{{secret:api_token}}"})
		if body := reply["body"].(string); n <= len(apiToken) && body != "[secret api_token]" || strings.Contains(body, apiToken[:4]) {
			t.Errorf("%d bytes: %q", n, body)
		}
	}
	for name, c := range map[string]struct{ header, code, message string }{
		"not granted": {"{{secret:other}}", "denied", "not granted"},
		"not stored":  {"{{secret:none}}", "not_found", ""},
		"no end":      {"Bearer {{secret:api_token", "invalid_request", "{{secret:api_token}}"},
		"lines":       {"{{secret:pem}}", "invalid_request", "several lines"},
	} {
		if _, code, message := fetch(map[string]any{}, map[string]string{"X": c.header}); code != c.code || !strings.Contains(message, c.message) {
			t.Errorf("%s: %s: %s", name, code, message)
		}
	}
	_, code, message = call(t, b, "http.fetch", map[string]any{"url": "http://192.0.2.1/", "headers": map[string]string{"X": "{{secret:api_token}}"}})
	if code != "denied" || !strings.Contains(message, "Use https") {
		t.Errorf("plain http: %s: %s", code, message)
	}
	if _, code, _ := call(t, b, "http.fetch", map[string]any{"url": s.URL + "/{{secret:api_token}}", "body": "{{secret:api_token}}", "method": "POST"}); code != "" {
		t.Error(code) // a URL and a body are sent as they are
	}
}

// TestInjectRedirect: a redirect to another host, port or scheme takes no secret along, nor does the way back.
func TestInjectRedirect(t *testing.T) {
	t.Parallel()
	var first, second *httptest.Server
	seen := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|%s", r.Header.Get("Authorization"), r.Header.Get("X-Key"), r.Header.Get("X-Own"))
	}
	second = site(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/back" {
			if r.Header.Get("X-Key") != "" {
				t.Error("the other host got it")
			}
			http.Redirect(w, r, first.URL+"/seen", http.StatusFound)
			return
		}
		seen(w, r)
	})
	first = site(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/seen", http.StatusFound)
		case "/other":
			http.Redirect(w, r, second.URL, http.StatusTemporaryRedirect)
		case "/back":
			http.Redirect(w, r, second.URL+"/back", http.StatusFound)
		default:
			seen(w, r)
		}
	})
	b := newBroker(t, Config{Grant: secretsGrant(), Remote: vault()})
	headers := map[string]string{"Authorization": "{{secret:pin}}", "X-Key": "{{secret:pin}}", "X-Own": "own"}
	for path, want := range map[string]string{"/same": "1337-1337|1337-1337|own", "/other": "||own", "/back": "||own"} {
		reply, code, message := call(t, b, "http.fetch", map[string]any{"url": first.URL + path, "headers": headers})
		if reply["body"] != want {
			t.Errorf("%s: %v %s: %s", path, reply["body"], code, message)
		}
	}
}

func TestConfidential(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]bool{
		"https://example.com/": true, "http://example.com/": false, "http://localhost:1/": true, "http://127.0.0.9/": true, "http://[::1]:80/": true,
		"http://[::ffff:127.0.0.1]/": true, "http://10.0.0.1/": false, "http://localhost.example.com/": false, "http://127.0.0.1.example.com/": false,
	} {
		if got := confidential(mustURL(t, address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}
