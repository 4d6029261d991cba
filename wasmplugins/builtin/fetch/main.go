// Command fetch downloads something, says what it is by its SHA-256, and takes
// fields out of it.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"octopus/sdk/plugin"
	"octopus/wasmplugins/builtin/internal/reach"
)

var actions = plugin.Actions{"get": plugin.Action(get)}

func main() { plugin.Main(actions) }

// mostBytes is the most that is downloaded: what http.fetch brings.
const mostBytes = 10 << 20

type params struct {
	URL            string            `json:"url"`
	Headers        map[string]string `json:"headers"`
	SHA256         string            `json:"sha256"`
	Fields         map[string]string `json:"fields"`  // name → JSON pointer
	Pattern        string            `json:"pattern"` // its named groups are fields
	SaveAs         string            `json:"save_as"`
	TimeoutSeconds float64           `json:"timeout_seconds"`
}

type result struct {
	URL    string         `json:"url"`
	Status int            `json:"status"`
	Bytes  int            `json:"bytes"`
	Type   string         `json:"content_type,omitempty"`
	SHA256 string         `json:"sha256"`
	Fields map[string]any `json:"fields,omitempty"`
	Saved  string         `json:"saved,omitempty"`
}

func get(ctx *plugin.Context, p params) plugin.Response {
	u, err := url.Parse(p.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return plugin.Fail(400, "%q is not a URL that begins with http:// or https://.", p.URL).WithCode("invalid_params")
	}
	ctx.Log("GET %s", p.URL)
	res, err := ctx.Fetch(plugin.HTTPRequest{URL: p.URL, Headers: p.Headers, TimeoutSeconds: p.TimeoutSeconds, MaxBytes: mostBytes})
	if err != nil {
		return reach.Failure(err, u.Host)
	}
	body := res.BodyBase64
	if res.Body != "" {
		body = []byte(res.Body)
	}
	sum := sha256.Sum256(body)
	r := result{URL: res.FinalURL, Status: res.Status, Bytes: res.Bytes, SHA256: hex.EncodeToString(sum[:])}
	if r.URL == "" {
		r.URL = p.URL
	}
	for name, value := range res.Headers {
		if strings.EqualFold(name, "Content-Type") {
			r.Type = value
		}
	}
	switch {
	case res.Status < 200 || res.Status > 299:
		return plugin.Fail(502, "%s answered %d instead of a 2xx.", r.URL, r.Status).WithCode("unexpected_status").WithResult(r)
	case res.Truncated:
		return plugin.Fail(507, "%s is larger than the 10 MiB that can be downloaded.", r.URL).WithCode("too_large").WithRetry(false, 0).WithResult(r)
	case p.SHA256 != "" && !strings.EqualFold(p.SHA256, r.SHA256):
		return plugin.Fail(502, "%s has the SHA-256 %s, not the expected one.", r.URL, r.SHA256).WithCode("digest_mismatch").WithRetry(false, 0).WithResult(r)
	}
	if r.Fields, err = extract(body, p); err != nil {
		return plugin.Fail(422, "%s: %v", r.URL, err).WithCode("missing_field").WithRetry(false, 0).WithResult(r)
	}
	answer := plugin.OK("%s has %d bytes.", r.URL, r.Bytes)
	if p.SaveAs != "" {
		r.Saved = p.SaveAs
		answer = plugin.OK("%s has %d bytes, saved as %s.", r.URL, r.Bytes, p.SaveAs).WithFile(p.SaveAs, body)
	}
	answer = answer.WithResult(r).WithMetric("bytes", float64(r.Bytes)).WithDB("downloads", map[string]any{"url": r.URL, "bytes": r.Bytes, "sha256": r.SHA256})
	for name, value := range r.Fields {
		if n, ok := value.(float64); ok {
			answer = answer.WithMetric(name, n)
		}
	}
	return answer
}

// extract takes the fields that are asked for. An error says which is not there.
func extract(body []byte, p params) (map[string]any, error) {
	fields := map[string]any{}
	if len(p.Fields) > 0 {
		var document any
		if err := json.Unmarshal(body, &document); err != nil {
			return nil, fmt.Errorf("its body is no JSON: %w", err)
		}
		for name, pointer := range p.Fields {
			value, err := at(document, pointer)
			if err != nil {
				return nil, fmt.Errorf("field %s: %w", name, err)
			}
			fields[name] = value
		}
	}
	if p.Pattern == "" {
		return fields, nil
	}
	pattern, err := regexp.Compile(p.Pattern)
	if err != nil {
		return nil, fmt.Errorf("the pattern is no regular expression of Go's (RE2): %w", err)
	}
	found := pattern.FindSubmatch(body)
	if found == nil {
		return nil, errors.New("the pattern is not found in its body")
	}
	for i, name := range pattern.SubexpNames() {
		if name != "" {
			fields[name] = strings.ToValidUTF8(string(found[i]), "?")
		}
	}
	return fields, nil
}

// at resolves a JSON pointer (RFC 6901).
func at(document any, pointer string) (any, error) {
	if pointer == "" {
		return document, nil
	}
	if pointer[0] != '/' {
		return nil, fmt.Errorf("%q is no JSON pointer: it begins with a slash, as in /tag_name", pointer)
	}
	unescape := strings.NewReplacer("~1", "/", "~0", "~")
	for step := range strings.SplitSeq(pointer[1:], "/") {
		step = unescape.Replace(step)
		switch d := document.(type) {
		case map[string]any:
			value, ok := d[step]
			if !ok {
				return nil, fmt.Errorf("there is no %q at %s", step, pointer)
			}
			document = value
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(d) {
				return nil, fmt.Errorf("there is no element %q at %s", step, pointer)
			}
			document = d[i]
		default:
			return nil, fmt.Errorf("there is no %q at %s", step, pointer)
		}
	}
	return document, nil
}
