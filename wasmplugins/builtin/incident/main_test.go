package main

import (
	"encoding/json"
	"strings"
	"testing"

	"octopus/wasmplugins/builtin/internal/hosttest"
)

const none = `{"found":false}`

func TestIncident(t *testing.T) {
	t.Parallel()
	known := func(id string) string {
		return `{"found":true,"value":{"id":"` + id + `","name":"N-` + id + `","url":"https://u/"}}`
	}
	for name, c := range map[string]struct {
		action, params, kv, reply string
		status                    int
		code, says                string
		asked                     []string
		calls                     int
	}{
		"github": {"github", `{"repository":"a/b","title":"T"}`, none, `{"status":201,"body":"{\"number\":7,\"html_url\":\"https://github.com/a/b/issues/7\"}"}`,
			200, "", "a/b#7 is open: https://github.com/a/b/issues/7", []string{`https://api.github.com/repos/a/b/issues"`, `Bearer {{secret:github_token}}`, `\"body\":\"T\"`}, 1},
		"github again": {"github", `{"repository":"a/b","title":"T","key":"k"}`, known("7"), `{"status":200,"body":"{\"state\":\"open\"}"}`,
			200, "", "N-7 is open already", []string{`/issues/7/comments"`, `"method":"GET"`}, 2},
		"github closed": {"github", `{"repository":"a/b","title":"T","key":"k"}`, known("7"), `{"status":200,"body":"{\"state\":\"closed\",\"number\":8}"}`,
			200, "", "a/b#8 is open", nil, 2},
		"github deleted": {"github", `{"repository":"a/b","title":"T","key":"k"}`, known("7"), `{"status":404}`, 502, "not_found", "GitHub answered 404", []string{`"method":"POST"`}, 2},
		"no repository":  {"github", `{"repository":"../x/y","title":"T"}`, none, ``, 400, "invalid_params", "no repository", nil, 0},
		"jira": {"jira", `{"site":"https://Acme.atlassian.net/","project":"OPS","title":"T","labels":["x"]}`, none, `{"status":201,"body":"{\"key\":\"OPS-1\"}"}`,
			200, "", "OPS-1 is open: https://acme.atlassian.net/browse/OPS-1", []string{`\"issuetype\":{\"name\":\"Task\"}`, `Basic {{secret:jira_basic}}`, `\"labels\":[\"x\"]`}, 1},
		"jira again": {"jira", `{"site":"acme.atlassian.net","project":"OPS","title":"T","key":"k"}`, known("OPS-1"),
			`{"status":200,"body":"{\"fields\":{\"status\":{\"statusCategory\":{\"key\":\"indeterminate\"}}}}"}`, 200, "", "has a comment more", []string{`/issue/OPS-1/comment"`}, 2},
		"jira elsewhere":  {"jira", `{"site":"evil.example","project":"OPS","title":"T"}`, none, ``, 400, "invalid_params", "not a site such as acme.atlassian.net", nil, 0},
		"jira by a trick": {"jira", `{"site":"evil.example/.atlassian.net","project":"OPS","title":"T"}`, none, ``, 400, "invalid_params", "not a site", nil, 0},
		"servicenow": {"servicenow", `{"site":"acme.service-now.com","title":"T","urgency":"1"}`, none, `{"status":201,"body":"{\"result\":{\"sys_id\":\"abc\",\"number\":\"INC1\"}}"}`,
			200, "", "INC1 is open", []string{`\"urgency\":\"1\"`}, 1},
		"servicenow resolved": {"servicenow", `{"site":"acme.service-now.com","title":"T","key":"k"}`, known("abc"), `{"status":200,"body":"{\"result\":{\"state\":\"6\",\"number\":\"INC2\"}}"}`,
			200, "", "INC2 is open", nil, 2},
		"servicenow again": {"servicenow", `{"site":"acme.service-now.com","title":"T","key":"k"}`, known("abc"), `{"status":200,"body":"{\"result\":{\"state\":\"2\"}}"}`,
			200, "", "is open already", []string{`"method":"PATCH"`, `work_notes`}, 2},
		"refused":  {"github", `{"repository":"a/b","title":"T"}`, none, `{"status":422,"body":"{}"}`, 502, "refused_by_service", "GitHub answered 422", nil, 1},
		"kv fails": {"github", `{"repository":"a/b","title":"T","key":"k"}`, `{"error":{"code":"denied","message":"kv is not granted."}}`, ``, 403, "denied", "kv is not granted", nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosttest.Host{Replies: map[string]string{"http.fetch": c.reply, "kv.get": c.kv, "kv.set": `{}`}}
			a := h.Run(t, actions, c.action, c.params)
			if a.StatusCode != c.status || a.Error.Code != c.code || !strings.Contains(a.Message, c.says) {
				t.Errorf("got %d %q %q, want %d %q …%q…", a.StatusCode, a.Error.Code, a.Message, c.status, c.code, c.says)
			}
			if n := len(h.Requests["http.fetch"]); n != c.calls {
				t.Errorf("%d calls, want %d", n, c.calls)
			}
			asked, _ := json.Marshal(h.Requests["http.fetch"]) // it was JSON
			for _, want := range c.asked {
				if !strings.Contains(string(asked), want) {
					t.Errorf("asked %s without %s", asked, want)
				}
			}
		})
	}
}
