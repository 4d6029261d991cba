package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"octopus/agent/redact"
)

// fixed answers each operation with the same reply.
type fixed map[string]string

func (f fixed) Call(_ context.Context, op string, _ []byte) ([]byte, error) {
	reply, ok := f[op]
	if !ok {
		return nil, errors.New("no such call")
	}
	return []byte(reply), nil
}

func recording(t *testing.T, calls [][2]string) string {
	t.Helper()
	var hidden redact.Redactor
	hidden.Add("token", "hunter22")
	var out bytes.Buffer
	r := NewRecorder(fixed{
		"http.fetch": `{"status":200,"body":"hello hunter22"}`, "kv.get": `{"found":false}`, "secret.get": `{"value":"abc"}`,
	}, &out, RecordHead{Plugin: "x 1.0.0", Digest: "sha256:1", Action: "run"}, &hidden)
	for _, c := range calls {
		r.Call(t.Context(), c[0], []byte(c[1])) //nolint:errcheck // the record has it
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

var someCalls = [][2]string{
	{"http.fetch", `{"url":"https://a.test/?k=hunter22","n":1}`}, {"kv.get", `{"key":"a"}`}, {"secret.get", `{"name":"short"}`}, {"nothing", ``},
}

func TestRecordAndReplay(t *testing.T) {
	t.Parallel()
	text := recording(t, someCalls)
	if strings.Contains(text, "hunter22") || strings.Contains(text, "abc") || strings.Count(text, "\n") != 5 {
		t.Errorf("the record holds a secret, or too little:\n%s", text)
	}
	r, err := ReadRecord(strings.NewReader(text))
	if err != nil || r.Head().Action != "run" || r.Head().Plugin != "x 1.0.0" {
		t.Fatalf("%+v %v", r, err)
	}
	if r.Err() == nil {
		t.Error("a replay that made no call is complete")
	}
	// The order of members does not matter; a secret stands for itself.
	reply, err := r.Call(t.Context(), "http.fetch", []byte(`{"n":1,"url":"https://a.test/?k=[secret token]"}`))
	if err != nil || string(reply) != `{"status":200,"body":"hello [secret token]"}` {
		t.Errorf("%s %v", reply, err)
	}
	for _, c := range someCalls[1:3] {
		if reply, err = r.Call(t.Context(), c[0], []byte(c[1])); err != nil {
			t.Errorf("%s: %v", c[0], err)
		}
	}
	if string(reply) != `{"value":"[secret short]"}` {
		t.Errorf("%s", reply)
	}
	if _, err := r.Call(t.Context(), "nothing", nil); err == nil || err.Error() != "no such call" {
		t.Errorf("an error is not repeated: %v", err)
	}
	if err := r.Err(); err != nil {
		t.Errorf("a complete replay: %v", err)
	}
}

func TestReplayDiffers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		calls [][2]string
		want  string
	}{
		"another request": {[][2]string{{"http.fetch", `{"url":"https://b.test"}`}}, "Call 1 differs from the record: expected http.fetch with"},
		"another call":    {[][2]string{{"kv.get", `{"key":"a"}`}}, "but it is kv.get"},
		"too few":         {nil, "made 0 of the 1 recorded calls"},
		"too many":        {[][2]string{{"http.fetch", `{"url":"https://a.test"}`}, {"kv.get", `{}`}}, "The record ends after 1 calls"},
	} {
		r, err := ReadRecord(strings.NewReader(recording(t, [][2]string{{"http.fetch", `{"url":"https://a.test"}`}})))
		if err != nil {
			t.Fatal(err)
		}
		var last []byte
		for _, call := range c.calls {
			if last, err = r.Call(t.Context(), call[0], []byte(call[1])); err != nil {
				t.Fatal(err)
			}
		}
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if len(c.calls) > 0 && !strings.Contains(string(last), `"code":"replay"`) {
			t.Errorf("%s: the plugin heard %s", name, last)
		}
	}
}

func TestReadRecordRefuses(t *testing.T) {
	t.Parallel()
	head := fmt.Sprintf(`{"format":%q}`, RecordFormat)
	for text, want := range map[string]string{
		"": "empty", "{}": "line 1", `{"format":"other"}`: "line 1", "x": "line 1",
		head + "\nx": "line 2", head + "\n" + `{"op":"a"}`: "line 2", head + "\n" + `{"op":"a","reply":{}}` + "\n[]": "line 3",
	} {
		if _, err := ReadRecord(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// No record makes a reader panic, and what is read is answered.
func FuzzReadRecord(f *testing.F) {
	f.Add([]byte(`{"format":"octopus.record/1"}` + "\n" + `{"op":"kv.get","request":{},"reply":{"found":false}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ReadRecord(bytes.NewReader(text))
		if err != nil {
			return
		}
		for _, c := range r.calls {
			if reply, err := r.Call(t.Context(), c.Op, c.Request); err == nil && !json.Valid(reply) {
				t.Errorf("%q", reply)
			}
		}
	})
}
