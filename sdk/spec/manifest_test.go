package spec

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

const sound = `{"schema":"octopus.plugin/v1","abi":1,"name":"http-check","version":"1.2.0",
	"actions":[{"name":"check","idempotent":true,"params":{"type":"object"},"examples":["check https://example.com"]}],
	"capabilities":{"http":{"hosts":["*.example.com:443"],"addresses":["public"],"methods":["GET"],"reason":"to check"},
		"net":{"hosts":["db.internal:5432"]},"host":["disks"],"secrets":[{"name":"api_token","expose":"header"}],"kv":{"max_bytes":"1MiB"},
		"files":[{"path":"/var/log","mode":"ro"}],"env":["TZ"],"exec":[{"name":"uptime"}],"user_params":["preferences"]},
	"limits":{"timeout":"30s","memory":"64MiB","fuel":0,"stdout":"4MiB"},
	"tests":[{"name":"answers","action":"check","params":{},"fakes":{"http":[{"method":"GET","url":"https://example.com","status":200,"body":"ok"}]},"expect":{"status_code":200}}]}`

func TestDecodeManifest(t *testing.T) {
	t.Parallel()
	m, err := DecodeManifest([]byte(sound))
	if err != nil {
		t.Fatal(err)
	}
	if problems := m.Validate(); problems != nil {
		t.Fatalf("problems: %v", problems)
	}
	if time.Duration(m.Limits.Timeout) != 30*time.Second || m.Limits.Memory != 64<<20 || m.Capabilities.KV.MaxBytes != 1<<20 {
		t.Errorf("limits %+v", m.Limits)
	}
	if a, ok := m.Action("check"); !ok || !a.Idempotent {
		t.Errorf("action %+v, %v", a, ok)
	}
	raw, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeManifest(raw)
	if err != nil || again.Limits != m.Limits || again.Validate() != nil {
		t.Errorf("round trip: %+v, %v", again, err)
	}
}

func TestDecodeManifestRefuses(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		``:                              "ends too early",
		`{"schema":"x","schema":1}`:     "has the key `schema` twice",
		`{"shcema":"x"}`:                "unknown field",
		`{} x`:                          "goes on after its end",
		`{"limits":{"timeout":"soon"}}`: "is not a duration",
		`{"limits":{"memory":"lots"}}`:  "is not a size",
		`{"limits":{"memory":-1}}`:      "is not a size",
		`{"abi":"1"}`:                   "cannot be read",
		`{"tests":[{"name":"real","action":"x"},{"name":"zero","action":"x","clock":"0001-01-01T00:00:00Z"}]}`: "the clock of the test \"zero\" must be between the years",
	} {
		if _, err := DecodeManifest([]byte(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v lacks %q", raw, err, want)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for change, path := range map[string]string{
		`{"schema":"octopus.plugin/v2"}`: "schema",
		`{"abi":2}`:                      "abi",
		`{"name":"HTTP"}`:                "name",
		`{"name":"a"}`:                   "name",
		`{"version":"1.2"}`:              "version",
		`{"version":"v1.2.3"}`:           "version",
		`{"actions":[],"tests":[]}`:      "actions",
		`{"actions":[{"name":"check"},{"name":"check"}]}`:               "actions[1].name",
		`{"actions":[{"name":"9"}],"tests":[]}`:                         "actions[0].name",
		`{"actions":[{"name":"check","params":[1]}]}`:                   "actions[0].params",
		`{"limits":{"timeout":"16m"}}`:                                  "limits.timeout",
		`{"limits":{"memory":"1GiB"}}`:                                  "limits.memory",
		`{"limits":{"memory":"1KiB"}}`:                                  "limits.memory",
		`{"limits":{"stdout":"1GiB"}}`:                                  "limits.stdout",
		`{"capabilities":{"http":{"hosts":[]}}}`:                        "capabilities.http.hosts",
		`{"capabilities":{"http":{"hosts":["https://a"]}}}`:             "capabilities.http.hosts[0]",
		`{"capabilities":{"http":{"hosts":["*"],"addresses":["lan"]}}}`: "capabilities.http.addresses[0]",
		`{"capabilities":{"http":{"hosts":["*"],"methods":["get"]}}}`:   "capabilities.http.methods[0]",
		`{"capabilities":{"net":{"hosts":["a:99999"]}}}`:                "capabilities.net.hosts[0]",
		`{"capabilities":{"host":["gpu"]}}`:                             "capabilities.host[0]",
		`{"capabilities":{"secrets":[{"name":"a","expose":"x"}]}}`:      "capabilities.secrets[0].expose",
		`{"capabilities":{"secrets":[{"name":"a","actions":["x"]}]}}`:   "capabilities.secrets[0].actions[0]",
		`{"capabilities":{"files":[{"path":"var"}]}}`:                   "capabilities.files[0].path",
		`{"capabilities":{"files":[{"path":"/var/../etc"}]}}`:           "capabilities.files[0].path",
		`{"capabilities":{"files":[{"path":"/var","mode":"x"}]}}`:       "capabilities.files[0].mode",
		`{"capabilities":{"env":["A=B"]}}`:                              "capabilities.env[0]",
		`{"capabilities":{"exec":[{"name":"rm -rf"}]}}`:                 "capabilities.exec[0].name",
		`{"tests":[{"name":"","action":"check"}]}`:                      "tests[0].name",
		`{"tests":[{"name":"x","action":"none"}]}`:                      "tests[0].action",
		`{"config":1}`: "config",
	} {
		var m Manifest
		if err := json.Unmarshal([]byte(sound), &m); err != nil {
			t.Fatal(err)
		}
		m.Capabilities = Capabilities{}
		if err := json.Unmarshal([]byte(change), &m); err != nil {
			t.Fatal(change, err)
		}
		problems := m.Validate()
		if len(problems) != 1 || problems[0].Path != path || !strings.HasSuffix(problems[0].Message, ".") {
			t.Errorf("%s: %v, want one at %s", change, problems, path)
		}
	}
}

func TestRetry(t *testing.T) {
	t.Parallel()
	no, yes := false, true
	for _, c := range []struct {
		r    Response
		want bool
	}{
		{Response{StatusCode: 200}, false}, {Response{StatusCode: 404}, false}, {Response{StatusCode: 429}, true}, {Response{StatusCode: 503}, true},
		{Response{StatusCode: 503, Error: &ResponseError{Retryable: &no}}, false}, {Response{StatusCode: 404, Error: &ResponseError{Retryable: &yes}}, true},
		{Failure(504, CodeTimeout, "late"), true},
	} {
		if c.r.MayRetry() != c.want {
			t.Errorf("%+v may retry: %v", c.r, !c.want)
		}
	}
}
