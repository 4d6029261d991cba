package main

import (
	"encoding/json"
	"strings"
	"testing"

	"octopus/wasmplugins/builtin/internal/hosttest"
)

const answer = `{"status":200,"headers":{"Content-Type":"text/plain"},"body":"all is well","bytes":11,"duration_ms":12.34,
	"remote_addr":"192.0.2.7:443","final_url":"https://web.example/","tls":{"version":"TLS 1.3","verified":true,
	"certificates":[{"subject":"CN=web.example","not_after":"2999-01-01T00:00:00Z"}]}}`

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params, reply string
		status        int
		code, message string
	}{
		"good":          {`{}`, answer, 200, "", "https://web.example/ answered 200 in 12.3 ms."},
		"exact status":  {`{"expect_status":200}`, answer, 200, "", "answered 200"},
		"wrong status":  {`{"expect_status":301}`, answer, 502, "unexpected_status", "answered 200 instead of 301."},
		"not a 2xx":     {`{}`, `{"status":404}`, 502, "unexpected_status", "answered 404 instead of a 2xx."},
		"wanted 404":    {`{"expect_status":404}`, `{"status":404}`, 200, "", "answered 404"},
		"contains":      {`{"contains":"well"}`, answer, 200, "", "answered 200"},
		"contains not":  {`{"contains":"ill"}`, answer, 502, "missing_text", "does not contain the expected text"},
		"binary body":   {`{"contains":"well"}`, `{"status":200,"body_base64":"/3dlbGw="}`, 200, "", ""},
		"cut body":      {`{"contains":"ill"}`, `{"status":200,"body":"x","truncated":true}`, 502, "missing_text", "The part of the answer that was read"},
		"slow":          {`{"max_latency_ms":10}`, answer, 504, "too_slow", "took 12.3 ms, over the limit of 10 ms."},
		"no such name":  {`{}`, fault("dns", "no such host"), 502, "dns", "The name of web.example cannot be resolved: no such host."},
		"refused":       {`{}`, fault("refused", "connection refused"), 502, "refused", "Nothing listens on web.example"},
		"untrusted":     {`{}`, fault("tls", "certificate has expired."), 502, "tls", "No trusted TLS connection to web.example: certificate has expired."},
		"denied":        {`{}`, fault("denied", "http to web.example is not granted."), 403, "denied", "Not allowed: http to web.example is not granted."},
		"timeout":       {`{}`, fault("timeout", "10 s passed"), 504, "timeout", "did not answer in time"},
		"host is odd":   {`{}`, `no json`, 502, "internal", "invalid JSON"},
		"wrong params":  {`{"timeout_seconds":"soon"}`, answer, 400, "invalid_params", "do not fit"},
		"not a web url": {`{"url":"ftp://x"}`, answer, 400, "invalid_params", "is not a URL that begins with"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosttest.Host{Replies: map[string]string{"http.fetch": c.reply}}
			params := c.params
			if !strings.Contains(params, `"url"`) {
				params = strings.Replace(`{"url":"https://web.example/",`+params[1:], ",}", "}", 1)
			}
			a := h.Run(t, actions, "check", params)
			if a.StatusCode != c.status || a.Error.Code != c.code || !strings.Contains(a.Message, c.message) {
				t.Errorf("got %d %q %q, want %d %q …%q…", a.StatusCode, a.Error.Code, a.Message, c.status, c.code, c.message)
			}
		})
	}
}

func TestResultAndHistory(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{"http.fetch": answer}}
	a := h.Run(t, actions, "check", `{"url":"https://web.example/","method":"HEAD","headers":{"X":"y"},"follow_redirects":false,"timeout_seconds":2}`)
	var r result
	if err := json.Unmarshal(a.Result, &r); err != nil {
		t.Fatal(err)
	}
	if r.Status != 200 || r.LatencyMS != 12.3 || r.Bytes != 11 || r.Type != "text/plain" || r.TLS == nil || r.TLS.DaysLeft < 300000 {
		t.Errorf("result: %s", a.Result)
	}
	if len(a.Data) != 1 || a.Data[0].Type != "db" || a.Data[0].Name != "history" || a.Metrics["latency_ms"] != 12.3 {
		t.Errorf("data %+v, metrics %v", a.Data, a.Metrics)
	}
	const want = `{"method":"HEAD","url":"https://web.example/","headers":{"X":"y"},"timeout_seconds":2,"follow_redirects":false}`
	if got := string(h.Requests["http.fetch"][0]); got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	if len(h.Logs) != 2 {
		t.Errorf("logs %q", h.Logs)
	}
}

func TestUntrustedIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{"http.fetch": fault("tls", "x")}}
	a := h.Run(t, actions, "check", `{"url":"https://web.example/"}`)
	if a.Error.Retryable == nil || *a.Error.Retryable {
		t.Errorf("error %+v, want not retryable", a.Error)
	}
}

func fault(code, message string) string {
	return `{"error":{"code":"` + code + `","message":"` + message + `"}}`
}
