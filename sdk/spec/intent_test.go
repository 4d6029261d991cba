package spec

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestIntents(t *testing.T) {
	t.Parallel()
	var l Intents
	if len(l.List()) != 0 {
		t.Errorf("%v", l.List())
	}
	l.Add(Intent{Op: "kv.set", Target: "a\nb", Message: strings.Repeat("ü", 400)})
	first := l.List()[0]
	if first.Target != "a b" || len(first.Message) > maxIntentText || !strings.HasSuffix(first.Message, "ü…") {
		t.Errorf("%+v", first)
	}
	for range 3 * MaxIntents {
		l.Add(Intent{Op: "file.write", Target: strings.Repeat(`"`, 500), Message: strings.Repeat("\x01", 500)})
	}
	list := l.List()
	raw, err := json.Marshal(list)
	if last := list[len(list)-1]; err != nil || len(list) > MaxIntents+1 || len(raw) > 32<<10 || !strings.HasPrefix(last.Message, "and ") {
		t.Errorf("%d intents, %d bytes, %+v", len(list), len(raw), last)
	}
}

func TestIntentOf(t *testing.T) {
	t.Parallel()
	for want, op := range map[string]Operation{
		"put plugin/p/n into the cache":           {Type: OpCache, Name: "n"},
		"leave the file n on the agent (2 bytes)": {Type: OpFile, Name: "n", Value: json.RawMessage(`"hi"`)},
		"keep the result n":                       {Type: OpDB, Name: "n"},
	} {
		if got := IntentOf("p", op); got.Message != want || got.Op != "data" || got.Target != "n" {
			t.Errorf("%+v, want %q", got, want)
		}
	}
}
