package trial

import (
	"strings"
	"testing"

	"octopus/sdk/spec"
)

// TestSecrets: a test case gets secrets as an agent would give them.
func TestSecrets(t *testing.T) {
	t.Parallel()
	b := NewBrokerOf(spec.Fakes{
		HTTP:    []spec.FakeHTTP{{RequestHeaders: map[string]string{"authorization": "Bearer t0ken"}, Status: 204}, {Status: 401}},
		Secrets: map[string]string{"token": "t0ken", "pin": "1234", "stray": "5678"},
	}, spec.Capabilities{Secrets: []spec.Secret{{Name: "token"}, {Name: "pin", Expose: "value"}, {Name: "none"}}})
	for _, c := range []struct{ op, request, want string }{
		{"http.fetch", `{"url":"x","headers":{"Authorization":"Bearer {{secret:token}}"}}`, `"status":204`},
		{"http.fetch", `{"url":"x","headers":{"Authorization":"Bearer token"}}`, `"status":401`},
		{"http.fetch", `{"url":"x","headers":{"Authorization":"{{secret:stray}}"}}`, `does not ask`},
		{"http.fetch", `{"url":"x","headers":{"Authorization":"{{secret:none}}"}}`, `no fake secret`},
		{"http.fetch", `{"url":"x","headers":{"Authorization":"{{secret:"}}`, `is named as in`},
		{"secret.get", `{"name":"pin"}`, `"value":"1234"`},
		{"secret.get", `{"name":"token"}`, `expose: value`},
		{"secret.get", `{"name":"stray"}`, `does not ask`},
	} {
		got, err := b.Call(t.Context(), c.op, []byte(c.request))
		if err != nil || !strings.Contains(string(got), c.want) {
			t.Errorf("%s %s: got %s, %v, want %s", c.op, c.request, got, err, c.want)
		}
	}
}
