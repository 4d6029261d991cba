// Command http-check asks a URL and compares the answer with what is expected.
package main

import (
	"net/url"
	"strings"
	"time"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
)

var actions = plugin.Actions{"check": plugin.Action(check)}

func main() { plugin.Main(actions) }

type params struct {
	URL             string            `json:"url"`
	Method          string            `json:"method"`
	ExpectStatus    int               `json:"expect_status"` // 0: any 2xx
	Contains        string            `json:"contains"`
	TimeoutSeconds  float64           `json:"timeout_seconds"`
	MaxLatencyMS    float64           `json:"max_latency_ms"` // 0: no limit
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	FollowRedirects *bool             `json:"follow_redirects"`
}

type result struct {
	URL        string             `json:"url"`
	Status     int                `json:"status"`
	LatencyMS  float64            `json:"latency_ms"`
	Bytes      int                `json:"bytes"`
	Truncated  bool               `json:"truncated,omitempty"`
	Type       string             `json:"content_type,omitempty"`
	RemoteAddr string             `json:"remote_addr,omitempty"`
	Redirects  int                `json:"redirects,omitempty"`
	TLS        *reach.Certificate `json:"tls,omitempty"`
}

func check(ctx *plugin.Context, p params) plugin.Response {
	u, err := url.Parse(p.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return plugin.Fail(400, "%q is not a URL that begins with http:// or https://.", p.URL).WithCode("invalid_params")
	}
	method := p.Method
	if method == "" {
		method = "GET"
	}
	ctx.Log("%s %s", method, p.URL)
	res, err := ctx.Fetch(plugin.HTTPRequest{
		Method: method, URL: p.URL, Headers: p.Headers, Body: p.Body,
		TimeoutSeconds: p.TimeoutSeconds, FollowRedirects: p.FollowRedirects,
	})
	if err != nil {
		return reach.Failure(err, u.Host)
	}
	r := summary(p, res)
	ctx.Log("%d in %.1f ms, %d bytes from %s", r.Status, r.LatencyMS, r.Bytes, r.RemoteAddr)
	return judge(p, res, r).WithResult(r).
		WithMetric("latency_ms", r.LatencyMS).WithMetric("status", float64(r.Status)).WithMetric("bytes", float64(r.Bytes)).
		WithDB("history", map[string]any{"url": r.URL, "status": r.Status, "latency_ms": r.LatencyMS, "bytes": r.Bytes})
}

func summary(p params, res plugin.HTTPResponse) result {
	r := result{
		URL: res.FinalURL, Status: res.Status, LatencyMS: reach.Milliseconds(res.DurationMS), Bytes: res.Bytes,
		Truncated: res.Truncated, RemoteAddr: res.RemoteAddr, Redirects: res.Redirects,
		TLS: reach.Leaf(res.TLS, time.Now()),
	}
	if r.URL == "" {
		r.URL = p.URL
	}
	for name, value := range res.Headers {
		if strings.EqualFold(name, "Content-Type") {
			r.Type = value
		}
	}
	return r
}

func judge(p params, res plugin.HTTPResponse, r result) plugin.Response {
	switch {
	case p.ExpectStatus != 0 && r.Status != p.ExpectStatus:
		return plugin.Fail(502, "%s answered %d instead of %d.", r.URL, r.Status, p.ExpectStatus).WithCode("unexpected_status")
	case p.ExpectStatus == 0 && (r.Status < 200 || r.Status > 299):
		return plugin.Fail(502, "%s answered %d instead of a 2xx.", r.URL, r.Status).WithCode("unexpected_status")
	case p.Contains != "" && !strings.Contains(res.Body+string(res.BodyBase64), p.Contains):
		what := "The answer"
		if r.Truncated {
			what = "The part of the answer that was read"
		}
		return plugin.Fail(502, "%s of %s does not contain the expected text.", what, r.URL).WithCode("missing_text")
	case p.MaxLatencyMS > 0 && r.LatencyMS > p.MaxLatencyMS:
		return plugin.Fail(504, "%s answered %d, but took %.1f ms, over the limit of %g ms.", r.URL, r.Status, r.LatencyMS, p.MaxLatencyMS).WithCode("too_slow")
	}
	return plugin.OK("%s answered %d in %.1f ms.", r.URL, r.Status, r.LatencyMS)
}
