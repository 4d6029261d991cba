// Package apicall sends JSON to a web service that answers with JSON.
package apicall

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
)

// NotFound is the code of a failure where the service answered 404.
const NotFound = "not_found"

// shownBody is how much of a refusal is shown, in bytes.
const shownBody = 300

// Call is one request. Headers may name secrets, as in {{secret:api_token}}.
type Call struct {
	Service string // as people call it, for sentences
	Method  string // POST if empty
	URL     string
	Headers map[string]string
	Body    any // nil sends none
}

// Do sends the request and decodes the answer into reply, which may be nil. In
// a dry run nothing was sent and reply stays as it is. On failure ok is false
// and the response says why.
func (c Call) Do(ctx *plugin.Context, reply any) (failure plugin.Response, ok bool) {
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return plugin.Fail(400, "%q is not a URL that begins with http:// or https://.", c.URL).WithCode("invalid_params"), false
	}
	headers, body := map[string]string{"Accept": "application/json"}, []byte(nil)
	if c.Body != nil {
		headers["Content-Type"] = "application/json"
		if body, err = json.Marshal(c.Body); err != nil {
			return plugin.Fail(400, "The request cannot be written as JSON: %v.", err).WithCode("invalid_params"), false
		}
	}
	for name, value := range c.Headers {
		headers[name] = value
	}
	method := c.Method
	if method == "" {
		method = "POST"
	}
	ctx.Log("%s %s://%s%s", method, u.Scheme, u.Host, u.Path)
	res, err := ctx.Fetch(plugin.HTTPRequest{Method: method, URL: c.URL, Headers: headers, Body: string(body)})
	if err != nil {
		return reach.Failure(err, u.Host), false
	}
	if res.Status < 200 || res.Status > 299 {
		return c.refused(res), false
	}
	if reply == nil || ctx.Request.Execution.DryRun {
		return plugin.Response{}, true
	}
	if err := json.Unmarshal([]byte(res.Body), reply); err != nil {
		return plugin.Fail(502, "%s answered %d, but not with JSON.", c.Service, res.Status).WithCode("unexpected_answer").WithRetry(false, 0), false
	}
	return plugin.Response{}, true
}

// refused keeps the service's own words. What a service refuses for good is
// not tried again.
func (c Call) refused(res plugin.HTTPResponse) plugin.Response {
	why := strings.Join(strings.Fields(res.Body), " ")
	if len(why) > shownBody {
		why = strings.ToValidUTF8(why[:shownBody], "") + "…"
	}
	if why != "" {
		why = ": " + why
	}
	message, code := fmt.Sprintf("%s answered %d%s", c.Service, res.Status, why), "refused_by_service"
	switch {
	case res.Status == 401 || res.Status == 403:
		message, code = fmt.Sprintf("%s does not accept the token (%d%s). Check the secret that the grant binds.", c.Service, res.Status, why), "unauthorized"
	case res.Status == 404:
		code = NotFound
	case res.Status == 429:
		return plugin.Fail(429, "%s", message).WithCode("rate_limited")
	case res.Status >= 500:
		return plugin.Fail(502, "%s", message).WithCode(code)
	}
	return plugin.Fail(502, "%s", message).WithCode(code).WithRetry(false, 0)
}
