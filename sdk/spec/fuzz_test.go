package spec

import (
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"
)

func FuzzDecodeResponse(f *testing.F) {
	for _, seed := range []string{
		``, `hello`, `{"status_code":200}`, `[1]`, "{\"status_code\":200,\"message\":\"\xff\"}",
		`{"status_code":200,"message":"ok","data":[{"type":"file","name":"a","value":"eA==","encoding":"base64"}],"metrics":{"a":1e3},"error":{"code":"c","retryable":true}}`,
		`{"status_code":200,"result":{"a":[1,2,{"\u0061":null}]}}`, `{"status_code":200}{`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := DecodeResponse(raw)
		if err != nil {
			bad, ok := errors.AsType[*InvalidResponse](err)
			if !ok || bad.Message == "" || bad.Offset < 0 || bad.Offset > int64(len(raw)) || !utf8.ValidString(bad.Message) {
				t.Fatalf("error %#v", err)
			}
			return
		}
		if !json.Valid(raw) || r.StatusCode < 100 || r.StatusCode > 599 {
			t.Fatalf("accepted as %+v", r)
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeResponse(again); err != nil {
			t.Fatalf("what was accepted is refused when written again: %v\n%s", err, again)
		}
	})
}

// A manifest that is valid stays so when it is written again, and with all that it asks for it lacks nothing.
func FuzzDecodeManifest(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte(`{"limits":{"timeout":1e99}}`))
	f.Add([]byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"noop","version":"1.0.0","actions":[{"name":"run"}],"capabilities":{"http":{"hosts":["*"]}},"capabilities":{}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := DecodeManifest(raw)
		if err != nil {
			return
		}
		problems := m.Validate()
		m.Capabilities.Missing(m.Capabilities)
		m.Capabilities.Intersect(m.Capabilities)
		if len(problems) > 0 {
			return
		}
		if missing := m.Capabilities.Missing(m.Capabilities); len(missing) > 0 {
			t.Errorf("granted all that it asks for it lacks %q\n%s", missing, raw)
		}
		written, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again, err := DecodeManifest(written)
		if problems := again.Validate(); err != nil || len(problems) > 0 {
			t.Errorf("written again it is refused: %v, %+v\n%s", err, problems, written)
		}
	})
}
