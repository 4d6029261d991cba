package trial

import (
	"encoding/json"
	"testing"

	"octopus/sdk/spec"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	got := spec.Response{StatusCode: 502, Message: "no", Result: json.RawMessage(`{"a":{"b":1,"c":[1,2]},"d":null}`), Error: &spec.ResponseError{Code: "refused"}}
	for name, c := range map[string]struct {
		want       spec.Expect
		mismatches int
	}{
		"anything":   {spec.Expect{}, 0},
		"all":        {spec.Expect{StatusCode: 502, Message: "no", ErrorCode: "refused", Result: json.RawMessage(`{"a":{"c":[1,2]}}`)}, 0},
		"none":       {spec.Expect{StatusCode: 200, Message: "yes", ErrorCode: "dns", Result: json.RawMessage(`{"a":{"b":2}}`)}, 4},
		"not there":  {spec.Expect{Result: json.RawMessage(`{"e":null}`)}, 1},
		"list exact": {spec.Expect{Result: json.RawMessage(`{"a":{"c":[1]}}`)}, 1},
	} {
		if m := Compare(c.want, got); len(m) != c.mismatches {
			t.Errorf("%s: %q", name, m)
		}
	}
}

func TestBroker(t *testing.T) {
	t.Parallel()
	b := NewBroker(spec.Fakes{
		HTTP:    []spec.FakeHTTP{{Method: "POST", Status: 201}, {URL: "http://x/", Status: 200, Body: "ok"}},
		KV:      map[string]json.RawMessage{"a": json.RawMessage(`1`)},
		Secrets: map[string]string{"s": "v"},
		DNS:     map[string][]string{"x": {"192.0.2.1"}},
		TCP:     map[string]json.RawMessage{"[::1]:22": json.RawMessage(`{"ok":true}`)},
		Ops:     map[string]json.RawMessage{"host.info": json.RawMessage(`{"hostname":"h"}`)},
	})
	for _, c := range []struct{ op, request, want string }{
		{"http.fetch", `{"url":"http://x/"}`, `{"body":"ok","bytes":2,"duration_ms":1,"final_url":"http://x/","headers":null,"status":200}`},
		{"http.fetch", `{"url":"http://y/"}`, `{"error":{"code":"unreachable","message":"No fake answers GET http://y/."},"ok":false}`},
		{"tcp.probe", `{"host":"::1","port":22}`, `{"ok":true}`},
		{"tcp.probe", `{"host":"x","port":22}`, `{"error":{"code":"refused","message":"No fake listens on x:22."},"ok":false}`},
		{"dns.lookup", `{"name":"x","type":"TXT"}`, `{"duration_ms":1,"records":[{"type":"TXT","value":"192.0.2.1"}]}`},
		{"dns.lookup", `{"name":"y"}`, `{"error":{"code":"not_found","message":"No fake record is named y."},"ok":false}`},
		{"secret.get", `{"name":"s"}`, `{"value":"v"}`},
		{"host.info", ``, `{"hostname":"h"}`},
		{"kv.get", `{"key":"a"}`, `{"found":true,"value":1}`},
		{"kv.set", `{"key":"ab","value":[2]}`, `{}`},
		{"kv.list", `{"prefix":"a"}`, `{"keys":["a","ab"]}`},
		{"kv.delete", `{"key":"a"}`, `{"found":true}`},
		{"kv.get", `{"key":"a"}`, `{"found":false}`},
		{"cache.set", `{"name":"n","value":1}`, `{}`},
		{"cache.get", `{"name":"n"}`, `{"found":true,"value":1}`},
		{"exec.run", `{}`, `{"error":{"code":"unsupported_op","message":"No fake answers exec.run; add one under fakes.ops."},"ok":false}`},
		{"kv.get", `[`, `{"error":{"code":"invalid_request","message":"The request of kv.get is not valid JSON."},"ok":false}`},
	} {
		got, err := b.Call(t.Context(), c.op, []byte(c.request))
		if err != nil || string(got) != c.want {
			t.Errorf("%s %s: got %s, %v, want %s", c.op, c.request, got, err, c.want)
		}
	}
}
