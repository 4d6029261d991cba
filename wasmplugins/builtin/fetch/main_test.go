package main

import (
	"strings"
	"testing"

	"octopus/wasmplugins/builtin/internal/hosttest"
)

const release = `{"status":200,"headers":{"content-type":"application/json"},"bytes":61,"body":"{\"tag\":\"v1\",\"n\":7,\"a/b\":{\"~\":[1,{\"deep\":true}]},\"none\":null}"}`

// hello is the SHA-256 of "hello".
const hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

func TestGet(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		params, reply string
		status        int
		code, says    string
		result        string // occurs in the result
	}{
		"plain":          {``, `{"status":200,"body":"hello","bytes":5,"final_url":"https://web.example/b"}`, 200, "", "https://web.example/b has 5 bytes.", hello},
		"binary":         {``, `{"status":200,"body_base64":"aGVsbG8=","bytes":5}`, 200, "", "5 bytes", hello},
		"right digest":   {`"sha256":"` + strings.ToUpper(hello) + `"`, `{"status":200,"body":"hello","bytes":5}`, 200, "", "", hello},
		"wrong digest":   {`"sha256":"` + strings.Repeat("0", 64) + `"`, `{"status":200,"body":"hello","bytes":5}`, 502, "digest_mismatch", "not the expected one.", hello},
		"not found":      {``, `{"status":404}`, 502, "unexpected_status", "answered 404", ""},
		"too large":      {``, `{"status":200,"body":"x","truncated":true}`, 507, "too_large", "10 MiB", ""},
		"field":          {`"fields":{"v":"/tag","x":"/a~1b/~0/1/deep","y":"/none"}`, release, 200, "", "", `"fields":{"v":"v1","x":true,"y":null}`},
		"whole":          {`"fields":{"all":""}`, release, 200, "", "", `"tag":"v1"`},
		"missing field":  {`"fields":{"v":"/nope"}`, release, 422, "missing_field", `field v: there is no "nope" at /nope`, ""},
		"missing index":  {`"fields":{"v":"/a~1b/~0/9"}`, release, 422, "missing_field", `no element "9"`, ""},
		"below a leaf":   {`"fields":{"v":"/tag/x"}`, release, 422, "missing_field", `there is no "x"`, ""},
		"no pointer":     {`"fields":{"v":"tag"}`, release, 422, "missing_field", "begins with a slash", ""},
		"no JSON":        {`"fields":{"v":"/tag"}`, `{"status":200,"body":"<html>"}`, 422, "missing_field", "no JSON", ""},
		"pattern":        {`"pattern":"(?P<greeting>h.l+)o"`, `{"status":200,"body":"hello"}`, 200, "", "", `"greeting":"hell"`},
		"pattern absent": {`"pattern":"bye"`, `{"status":200,"body":"hello"}`, 422, "missing_field", "not found", ""},
		"bad pattern":    {`"pattern":"("`, `{"status":200,"body":"hello"}`, 422, "missing_field", "regular expression", ""},
		"no URL":         {`"url":"ftp://x"`, `{}`, 400, "invalid_params", "is not a URL", ""},
		"denied":         {``, `{"error":{"code":"denied","message":"http to web.example is not granted."}}`, 403, "denied", "not granted", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hosttest.Host{Replies: map[string]string{"http.fetch": c.reply}}
			params := `{"url":"https://web.example/a",` + c.params + `}`
			if strings.HasPrefix(c.params, `"url"`) {
				params = `{` + c.params + `}`
			}
			a := h.Run(t, actions, "get", strings.Replace(params, ",}", "}", 1))
			if a.StatusCode != c.status || a.Error.Code != c.code || !strings.Contains(a.Message, c.says) || !strings.Contains(string(a.Result), c.result) {
				t.Errorf("got %d %q %q %s, want %d %q …%q… …%s…", a.StatusCode, a.Error.Code, a.Message, a.Result, c.status, c.code, c.says, c.result)
			}
		})
	}
}

func TestSavesAndMeasures(t *testing.T) {
	t.Parallel()
	h := &hosttest.Host{Replies: map[string]string{"http.fetch": release}}
	a := h.Run(t, actions, "get", `{"url":"https://web.example/a","save_as":"r.json","fields":{"count":"/n"}}`)
	files := 0
	for _, d := range a.Data {
		if d.Type == "file" && d.Name == "r.json" {
			files++
		}
	}
	if a.StatusCode != 200 || files != 1 || a.Metrics["count"] != 7 || a.Metrics["bytes"] != 61 || !strings.Contains(a.Message, "saved as r.json") {
		t.Errorf("%+v", a)
	}
}
