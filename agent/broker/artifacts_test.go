package broker

import (
	"strings"
	"testing"

	"octopus/internal/wire"
)

// shelf keeps artifacts in memory.
type shelf map[string]string

func (s shelf) Put(name, mediaType string, body []byte) error {
	s[name] = mediaType + ": " + string(body)
	return nil
}

func (s shelf) Append(name string, body []byte) error {
	s[name] += string(body)
	return nil
}

func TestArtifactPut(t *testing.T) {
	t.Parallel()
	s := shelf{}
	b := newBroker(t, Config{Artifacts: s, ArtifactBytes: 20})
	for _, c := range []struct {
		request map[string]any
		code    string
		size    float64
		kept    string // of the name, afterwards
	}{
		{map[string]any{"name": "a.txt", "body": "hä"}, "", 3, "text/plain; charset=utf-8: hä"},
		{map[string]any{"name": "a.txt", "body": "more", "append": true}, "", 7, "text/plain; charset=utf-8: hämore"},
		{map[string]any{"name": "a.txt", "content_type": "TEXT/CSV", "body": "a,b"}, "", 3, "text/csv; charset=utf-8: a,b"},
		{map[string]any{"name": "b", "append": true, "body_base64": "/wAB"}, "", 3, "application/octet-stream: \xff\x00\x01"},
		{map[string]any{"name": "c", "content_type": "text/plain", "body_base64": "/w=="}, "", 1, "text/plain: \xff"},
		{map[string]any{"name": "d", "content_type": "image/png"}, "", 0, "image/png: "},
		{map[string]any{"name": "e", "body": strings.Repeat("x", 14)}, "quota", 0, ""},
		{map[string]any{"name": "e", "body": strings.Repeat("x", 13)}, "", 13, "text/plain; charset=utf-8: xxxxxxxxxxxxx"},
		{map[string]any{"name": "e", "body": "y", "append": true}, "quota", 0, "text/plain; charset=utf-8: xxxxxxxxxxxxx"},
		{map[string]any{"name": "../f", "body": "x"}, "invalid_request", 0, ""},
		{map[string]any{"name": "", "body": "x"}, "invalid_request", 0, ""},
		{map[string]any{"name": "Dry-Run.json", "body": "x"}, "invalid_request", 0, ""},
		{map[string]any{"name": "f", "body": "x", "body_base64": "eA=="}, "invalid_request", 0, ""},
		{map[string]any{"name": "f", "body_base64": "%"}, "invalid_request", 0, ""},
		{map[string]any{"name": "f", "content_type": "plain"}, "invalid_request", 0, ""},
		{map[string]any{"name": "f", "content_type": "a/b\r\nc: d"}, "invalid_request", 0, ""},
	} {
		reply, code, message := call(t, b, "artifact.put", c.request)
		name, _ := c.request["name"].(string)
		if code != c.code || code == "" && reply["size"] != c.size || s[name] != c.kept {
			t.Errorf("%v: %q %s %v, kept %q", c.request, code, message, reply, s[name])
		}
	}
	if reply, _, _ := call(t, newBroker(t, Config{Artifacts: s}), "artifact.put", map[string]any{"name": "g", "body": "x"}); reply["left"] != float64(wire.MaxArtifactBytes-1) {
		t.Errorf("by default there is room for %v", reply["left"])
	}
}

func TestArtifactsAreCounted(t *testing.T) {
	t.Parallel()
	b := newBroker(t, Config{Artifacts: shelf{}})
	for i := range wire.MaxArtifacts {
		if _, code, message := call(t, b, "artifact.put", map[string]any{"name": strings.Repeat("n", i+1)}); code != "" {
			t.Fatal(i, code, message)
		}
	}
	if _, code, _ := call(t, b, "artifact.put", map[string]any{"name": "one more"}); code != "quota" {
		t.Errorf("one more: %q", code)
	}
}

// TestArtifactOfADryRun: it is checked and told, but not kept; without a place for it the guest hears so.
func TestArtifactOfADryRun(t *testing.T) {
	t.Parallel()
	s := shelf{}
	var told []Record
	b := newBroker(t, Config{Artifacts: s, DryRun: true, OnCall: func(r Record) { told = append(told, r) }})
	if reply, code, _ := call(t, b, "artifact.put", map[string]any{"name": "a", "body_base64": "/wAB"}); code != "" || reply["size"] != 3.0 || len(s) != 0 {
		t.Errorf("%q %v, kept %v", code, reply, s)
	}
	if _, code, _ := call(t, b, "artifact.put", map[string]any{"name": "a/b"}); code != "invalid_request" {
		t.Errorf("a bad name: %q", code)
	}
	if len(told) != 2 || told[0].Intent != "keep the file a (3 bytes) with the execution" || told[1].Intent != "" {
		t.Errorf("told %+v", told)
	}
	if _, code, _ := call(t, newBroker(t, Config{}), "artifact.put", map[string]any{"name": "a"}); code != "unsupported_op" {
		t.Errorf("without a place: %q", code)
	}
}
