package trial

import (
	"encoding/json"
	"strings"
	"testing"

	"octopus/sdk/spec"
)

// TestOutside: what a manifest does not ask for is denied here as on an agent, and told, also where a fake would answer.
func TestOutside(t *testing.T) {
	t.Parallel()
	asks := spec.Capabilities{
		HTTP: &spec.HTTP{Hosts: []string{"*.example.com", "10.0.0.1:8080"}},
		Net:  &spec.Net{Hosts: []string{"db.internal:5432"}, Addresses: []string{spec.Private}},
		Host: []string{"load"}, Secrets: []spec.Secret{{Name: "token"}}, Files: []spec.File{{Path: "/var/log"}, {Path: "/srv", Mode: "rw"}},
		Exec: []spec.Exec{{Name: "uptime"}}, Script: &spec.Script{Interpreters: []string{"sh"}},
	}
	for _, c := range []struct{ op, request, what string }{
		{"http.fetch", `{"url":"https://www.example.com/"}`, ""},
		{"http.fetch", `{"method":"head","url":"http://www.example.com"}`, ""},
		{"http.fetch", `{"method":"POST","url":"https://www.example.com/"}`, "http POST to www.example.com:443"},
		{"http.fetch", `{"url":"https://www.example.com:8443/"}`, "http GET to www.example.com:8443"},
		{"http.fetch", `{"url":"http://example.org/"}`, "http GET to example.org:80"},
		{"http.fetch", `{"url":"http://10.0.0.1:8080/"}`, "http GET to 10.0.0.1:8080"}, // its class of addresses is not asked for
		{"http.fetch", `{"url":"https://www.example.com/","headers":{"A":"{{secret:token}} {{secret:other}}"}}`, "the secret other"},
		{"http.fetch", `{"url":"no address"}`, ""},
		{"tcp.probe", `{"host":"db.internal","port":5432}`, ""},
		{"tcp.probe", `{"host":"db.internal","port":22}`, "connections to db.internal:22"},
		{"dns.lookup", `{"name":"db.internal"}`, ""},
		{"dns.lookup", `{"name":"example.com"}`, "the records of example.com"},
		{"host.info", `{}`, ""},
		{"host.info", `{"parts":["load","disks"]}`, "the host's disks"},
		{"kv.get", `{"key":"a"}`, "the key-value store"},
		{"secret.get", `{"name":"other"}`, "the secret other"},
		{"file.read", `{"path":"/var/log/syslog"}`, ""},
		{"file.write", `{"path":"/var/log/syslog"}`, "writing /var/log/syslog"},
		{"file.delete", `{"path":"/srv/old"}`, ""},
		{"file.list", `{"path":"/var/log/../lib"}`, "reading /var/log/../lib"},
		{"exec.run", `{"name":"uptime"}`, ""},
		{"exec.run", `{"name":"reboot"}`, "the command reboot"},
		{"script.run", `{"interpreter":"python3"}`, "to run scripts with python3"},
		{"cache.get", `{"name":"n"}`, ""},
		{"artifact.put", `{"name":"n"}`, ""},
		{"teleport", `{}`, ""},
	} {
		for _, faked := range []bool{true, false} {
			var fakes spec.Fakes
			if faked {
				fakes.Ops = map[string]json.RawMessage{c.op: json.RawMessage(`{"answered":true}`)}
			}
			b := NewBrokerOf(fakes, asks)
			var got string
			for range 2 {
				reply, err := b.Call(t.Context(), c.op, []byte(c.request))
				if got = string(reply); err != nil {
					t.Fatal(err)
				}
			}
			denied := strings.Contains(got, `"denied"`) && strings.Contains(got, "does not ask for "+c.what+".")
			outside := b.Outside()
			switch {
			case c.what == "" && len(outside) > 0:
				t.Errorf("%s %s: %+v, but the manifest asks for it", c.op, c.request, outside)
			case c.what != "" && (!denied || len(outside) != 1 || outside[0].What != c.what || outside[0].Faked != (faked || strings.HasPrefix(c.op, "kv."))):
				t.Errorf("%s %s: %+v, answered %s, want %q", c.op, c.request, outside, got, c.what)
			}
		}
	}
}

// TestFaked: a case fails for a fake that no agent would let answer, and not for expecting to be denied.
func TestFaked(t *testing.T) {
	t.Parallel()
	fakes := spec.Fakes{
		HTTP: []spec.FakeHTTP{{Method: "GET", URL: "http://a.example/", Status: 200}}, Secrets: map[string]string{"s": "v"},
		DNS: map[string][]string{"a.example": {"192.0.2.1"}}, TCP: map[string]json.RawMessage{"a.example:22": json.RawMessage(`{}`)},
	}
	for _, c := range []struct {
		op, request string
		faked       bool
	}{
		{"http.fetch", `{"url":"http://a.example/"}`, true}, {"http.fetch", `{"url":"http://b.example/"}`, false},
		{"http.fetch", `{"url":"http://a.example/","method":"PUT"}`, false}, {"secret.get", `{"name":"s"}`, true},
		{"secret.get", `{"name":"t"}`, false}, {"dns.lookup", `{"name":"a.example"}`, true}, {"dns.lookup", `{"name":"b.example"}`, false},
		{"tcp.probe", `{"host":"a.example","port":22}`, true}, {"tcp.probe", `{"host":"a.example","port":23}`, false},
	} {
		b := NewBrokerOf(fakes, spec.Capabilities{})
		if _, err := b.Call(t.Context(), c.op, []byte(c.request)); err != nil {
			t.Fatal(err)
		}
		if o := b.Outside(); len(o) != 1 || o[0].Faked != c.faked || strings.HasPrefix(o[0].Sentence(), "A fake answers") != c.faked {
			t.Errorf("%s %s: %+v, want faked %v", c.op, c.request, o, c.faked)
		}
	}
	free := NewBroker(fakes)
	for range 2 * maxOutside {
		if _, err := free.Call(t.Context(), "http.fetch", []byte(`{"url":"http://a.example/"}`)); err != nil || len(free.Outside()) > 0 {
			t.Fatalf("without a manifest: %+v, %v", free.Outside(), err)
		}
	}
}
