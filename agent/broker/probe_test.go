package broker

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"octopus/sdk/spec"
)

func reach(hosts, addresses []string) spec.Capabilities {
	return spec.Capabilities{Net: &spec.Net{Hosts: hosts, Addresses: addresses}}
}

func TestProbe(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	port := portOfServer(t, s)
	ask := map[string]any{"host": "127.0.0.1", "port": port, "tls": true}
	b := newBroker(t, Config{Grant: reach([]string{"127.0.0.1"}, []string{spec.Loopback})})
	reply, code, message := call(t, b, "tcp.probe", ask)
	if code != "" || reply["ok"] != true || reply["address"] != strings.TrimPrefix(s.URL, "https://") {
		t.Fatalf("%v %s %s", reply, code, message)
	}
	facts := reply["tls"].(map[string]any)
	if facts["verified"] != false || facts["verify_error"] == nil || facts["version"] != "TLS 1.3" || facts["server_name"] != "127.0.0.1" {
		t.Errorf("%v", facts)
	}
	certificate := facts["certificates"].([]any)[0].(map[string]any)
	if certificate["not_after"] == nil || len(certificate["sha256"].(string)) != 64 {
		t.Errorf("%v", certificate)
	}
	b = newBroker(t, Config{Grant: reach([]string{"127.0.0.1"}, []string{spec.Loopback}), RootsFile: rootsOf(t, s)})
	reply, _, _ = call(t, b, "tcp.probe", ask)
	if facts := reply["tls"].(map[string]any); facts["verified"] != true {
		t.Errorf("%v", facts)
	}
	ask["server_name"] = "other.test"
	reply, _, _ = call(t, b, "tcp.probe", ask)
	if facts := reply["tls"].(map[string]any); reply["ok"] != true || facts["verified"] != false || !strings.Contains(facts["verify_error"].(string), "other.test") {
		t.Errorf("%v", facts)
	}
}

func TestProbeFailures(t *testing.T) {
	t.Parallel()
	plain := site(t, nil)
	closed := httptest.NewServer(nil)
	closed.Close()
	b := newBroker(t, Config{Grant: reach([]string{"127.0.0.1", "10.0.0.1", "*.example"}, []string{spec.Loopback}), Resolver: newNameServer(t, nil).resolver()})
	for _, c := range []struct {
		req  map[string]any
		code string
	}{
		{map[string]any{"host": "127.0.0.1", "port": portOfServer(t, closed)}, "refused"},
		{map[string]any{"host": "127.0.0.1", "port": portOfServer(t, plain), "tls": true}, "tls"},
		{map[string]any{"host": "10.0.0.1", "port": 80}, "denied"},
		{map[string]any{"host": "10.0.0.2", "port": 80}, "denied"},
		{map[string]any{"host": "gone.example", "port": 80}, "dns"},
		{map[string]any{"host": "", "port": 80}, "invalid_request"},
		{map[string]any{"host": "127.0.0.1", "port": 0}, "invalid_request"},
		{map[string]any{"host": "127.0.0.1", "port": 70000}, "invalid_request"},
		{map[string]any{"host": "127.0.0.1/x", "port": 80}, "invalid_request"},
	} {
		reply, code, message := call(t, b, "tcp.probe", c.req)
		if code != c.code || reply["ok"] == true {
			t.Errorf("%v: %s %s %v", c.req, code, message, reply)
		}
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	names := newNameServer(t, map[string][]string{"db.example.": {"10.1.1.1", "10.1.1.2"}})
	b := newBroker(t, Config{Grant: reach([]string{"*.example:5432"}, nil), Resolver: names.resolver()})
	for kind, want := range map[string]string{"A": "10.1.1.1", "MX": "mail.example", "TXT": "v=spf1 -all", "SRV": "ldap.example"} {
		reply, code, message := call(t, b, "dns.lookup", map[string]any{"name": "db.example", "type": kind})
		list, _ := reply["records"].([]any)
		if code != "" || len(list) == 0 {
			t.Errorf("%s: %v %s %s", kind, reply, code, message)
			continue
		}
		record := list[0].(map[string]any)
		if record["value"] != want || record["type"] != kind {
			t.Errorf("%s: %v", kind, record)
		}
		if kind == "SRV" && (record["port"] != 389.0 || record["priority"] != 1.0) || kind == "MX" && record["preference"] != 10.0 {
			t.Errorf("%s: %v", kind, record)
		}
	}
	for _, c := range []struct{ name, kind, code string }{
		{"gone.example", "A", "not_found"}, {"db.example", "AAAA", "not_found"}, {"db.example", "X", "invalid_request"},
		{"other.test", "A", "denied"}, {"", "A", "invalid_request"}, {"db.example", "PTR", "invalid_request"},
	} {
		if reply, code, message := call(t, b, "dns.lookup", map[string]any{"name": c.name, "type": c.kind}); code != c.code {
			t.Errorf("%s %s: %s %s %v", c.name, c.kind, code, message, reply)
		}
	}
}

func TestHostInfo(t *testing.T) {
	t.Parallel()
	b := newBroker(t, Config{Grant: spec.Capabilities{Host: []string{"os", "memory", "disks", "cpu"}}})
	reply, code, message := call(t, b, "host.info", map[string]any{})
	if code != "" || reply["hostname"] == "" || reply["os"] == nil || reply["memory"] == nil || reply["cpu"] == nil || reply["load"] != nil {
		t.Errorf("%v %s %s", reply, code, message)
	}
	if reply, _, _ := call(t, b, "host.info", map[string]any{"parts": []string{"memory"}}); reply["os"] != nil || reply["hostname"] != nil || reply["memory"] == nil {
		t.Errorf("%v", reply)
	}
	if _, code, _ := call(t, b, "host.info", map[string]any{"parts": []string{"load"}}); code != "denied" {
		t.Error(code)
	}
	if _, code, _ := call(t, b, "host.info", map[string]any{"parts": []string{"users"}}); code != "invalid_request" {
		t.Error(code)
	}
	owner := newBroker(t, Config{Grant: spec.Capabilities{Host: []string{"*"}}, Policy: parse(t, "capabilities: {host: [load]}")})
	if reply, code, _ := call(t, owner, "host.info", map[string]any{}); code != "" || reply["os"] != nil || reply["load"] == nil {
		t.Errorf("%v %s", reply, code)
	}
	if _, code, message := call(t, owner, "host.info", map[string]any{"parts": []string{"os"}}); code != "denied" || !strings.Contains(message, "owner") {
		t.Errorf("%s %s", code, message)
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	shared := func(name string) (json.RawMessage, bool) { return json.RawMessage(`{"n":1}`), name == "limits" }
	b := newBroker(t, Config{Grant: spec.Capabilities{KV: &spec.KV{}}, Remote: NewMemory("x"), Broadcast: shared})
	for _, step := range []struct {
		op   string
		req  map[string]any
		code string
		want string
	}{
		{"kv.get", map[string]any{"key": "a"}, "", `{"found":false}`},
		{"kv.set", map[string]any{"key": "a", "value": []int{1}}, "", `{}`},
		{"kv.set", map[string]any{"key": "b/1", "value": "x"}, "", `{}`},
		{"kv.get", map[string]any{"key": "a"}, "", `{"found":true,"value":[1]}`},
		{"kv.list", map[string]any{"prefix": "b/"}, "", `{"keys":["b/1"],"more":false}`},
		{"kv.delete", map[string]any{"key": "a"}, "", `{"found":true}`},
		{"kv.get", map[string]any{"key": "a"}, "", `{"found":false}`},
		{"kv.get", map[string]any{"key": ""}, "invalid_request", ""},
		{"kv.set", map[string]any{"key": "a"}, "invalid_request", ""},
		{"kv.set", map[string]any{"key": "a", "value": strings.Repeat("x", 256<<10)}, "too_large", ""},
		{"cache.set", map[string]any{"name": "n", "value": 1}, "", `{}`},
		{"cache.get", map[string]any{"name": "n"}, "", `{"found":true,"value":1}`},
		{"cache.get", map[string]any{"name": "broadcast/limits"}, "", `{"found":true,"value":{"n":1}}`},
		{"cache.get", map[string]any{"name": "broadcast/none"}, "", `{"found":false}`},
		{"cache.set", map[string]any{"name": "broadcast/limits", "value": 1}, "denied", ""},
	} {
		raw, _ := json.Marshal(step.req)
		out, err := b.Call(t.Context(), step.op, raw)
		if err != nil || step.code == "" && string(out) != step.want || step.code != "" && !strings.Contains(string(out), `"code":"`+step.code+`"`) {
			t.Errorf("%s %v: %s %v", step.op, step.req, out, err)
		}
	}
	for name, c := range map[string]Config{
		"no grant":  {Remote: NewMemory("x")},
		"no server": {Grant: spec.Capabilities{KV: &spec.KV{}}},
		"owner":     {Grant: spec.Capabilities{KV: &spec.KV{}}, Remote: NewMemory("x"), Policy: parse(t, "capabilities: {kv: false}")},
	} {
		want := map[string]string{"no grant": "denied", "no server": "unavailable", "owner": "denied"}[name]
		if _, code, message := call(t, newBroker(t, c), "kv.get", map[string]any{"key": "a"}); code != want {
			t.Errorf("%s: %s %s", name, code, message)
		}
	}
}

type remote func(req json.RawMessage) (json.RawMessage, error)

func (r remote) Call(_ context.Context, _ string, req json.RawMessage) (json.RawMessage, error) {
	return r(req)
}

// A guest's request reaches the server without what nobody looked at, however large that is.
func TestOnlyWhatWasCheckedTravels(t *testing.T) {
	t.Parallel()
	var sent string
	b := newBroker(t, Config{Remote: remote(func(req json.RawMessage) (json.RawMessage, error) {
		sent = string(req)
		return json.RawMessage(`{}`), nil
	})})
	call(t, b, "cache.set", map[string]any{"name": "n", "value": "<b>", "junk": strings.Repeat("x", 4<<20)})
	if want := `{"name":"n","value":"\u003cb\u003e"}`; sent != want { // as this test's own encoder wrote the value
		t.Errorf("%.200s, not %s", sent, want)
	}
}
