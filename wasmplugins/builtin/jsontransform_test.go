package builtin_test

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// people is what most of the steps are tried on.
const people = `[{"n":"ada","age":36,"tags":["x","y"],"in":{"a b":1}},{"n":"bob","age":17,"tags":[]},{"n":"cy","age":"36"}]`

// transforms are inputs, the steps that they take, and what comes of it.
var transforms = []struct{ input, steps, want string }{
	{people, `[]`, people},
	{people, `[{"map":"n"}]`, `["ada","bob","cy"]`},
	{people, `[{"get":"n"}]`, `["ada","bob","cy"]`},
	{people, `[{"get":"@[-1].n"}]`, `"cy"`},
	{people, `[{"get":"@[0].tags[1]"}]`, `"y"`},
	{people, `[{"get":"@[0].in[\"a b\"]"}]`, `1`},
	{people, `[{"filter":"age > 17"},{"map":"n"}]`, `["ada"]`},
	{people, `[{"filter":"age >= 17 and not (n == 'ada')"},{"map":"n"}]`, `["bob"]`},
	{people, `[{"filter":"n ~ '^[ab]' or age == '36'"},{"map":"n"}]`, `["ada","bob","cy"]`},
	{people, `[{"filter":"n in list(split('bob,cy', ','))"},{"map":"n"}]`, `["bob","cy"]`},
	{people, `[{"filter":"contains(tags, 'x')"},{"pick":["n","in"]},{"map":"@.in"}]`, `[{"a b":1}]`},
	{people, `[{"pick":["n","age"]},{"drop":"age"},{"rename":{"n":"name"}}]`, `[{"name":"ada"},{"name":"bob"},{"name":"cy"}]`},
	{people, `[{"sort":{"by":"age","descending":true}},{"map":"n"}]`, `["cy","ada","bob"]`},
	{people, `[{"map":"tags"},{"filter":"@"},{"flatten":true}]`, `["x","y"]`},
	{people, `[{"map":{"who":"upper(n) + '!'","twice":"number(age) * 2 - 1"}},{"limit":1}]`, `[{"who":"ADA!","twice":71}]`},
	{people, `[{"map":"toString"}]`, `[null,null,null]`},
	{people, `[{"get":"constructor"}]`, `[]`},
	{`[3,1,2,3,1]`, `[{"unique":true},{"sort":"@"}]`, `[1,2,3]`},
	{`[3,null,"b","a",2]`, `[{"sort":"@"}]`, `[null,2,3,"a","b"]`},
	{`[1,2,3,4]`, `[{"get":"sum(@) / count()"}]`, `2.5`},
	{`[1,2,3,4]`, `[{"group":{"by":"@ % 2","into":{"odd":"@ % 2 == 1","n":"count()","sum":"sum(@)","least":"min(@)","most":"max(@)","mean":"avg(@)","all":"list(@)"}}}]`,
		`[{"odd":true,"n":2,"sum":4,"least":1,"most":3,"mean":2,"all":[1,3]},{"odd":false,"n":2,"sum":6,"least":2,"most":4,"mean":3,"all":[2,4]}]`},
	{`[1,2,1]`, `[{"group":{"by":"@"}}]`, `[{"key":1,"count":2},{"key":2,"count":1}]`},
	{`{"a":{"b":[1,2]}}`, `[{"get":"a.b"},{"map":"@ * -1 + 10"}]`, `[9,8]`},
	{`{"a":1.005}`, `[{"map":{"r":"round(a, 1)","i":"if(a > 1, 'more', 'less')","d":"default(b, 7)","s":"join(keys(@))","t":"replace('a-b', '-', '+')"}}]`, `{"r":1,"i":"more","d":7,"s":"a","t":"a+b"}`},
	{`{"__proto__":1,"a":2}`, `[{"rename":{"a":"b"}}]`, `{"__proto__":1,"b":2}`},
}

// wrongSteps are refused, with a sentence that says where.
var wrongSteps = map[string]string{
	`[{"filter":"a >"}]`:                           "step 1: filter: a >: something is missing at character 4.",
	`[{"map":{"x":"nope(a)"}}]`:                    "step 1: map: x: nope(a): there is no function nope",
	`[{"get":"a b"}]`:                              "b is not expected at character 3",
	`[{"get":"a toString b"}]`:                     "toString is not expected",
	`[{"get":"(a"}]`:                               ") is missing",
	`[{"get":"a # b"}]`:                            "character 2 is no part of an expression",
	`[{"get":""}]`:                                 "it takes an expression",
	`[{"get":"n ~ '('"}]`:                          "is no regular expression",
	`[{"get":"a"},{"limit":-1}]`:                   "step 2: limit: it takes a whole number",
	`[{"a":1,"b":2}]`:                              "a step has one of: get, filter",
	`[{"toString":1}]`:                             "a step has one of: get, filter",
	`[{"map":"n * 2"}]`:                            `"ada" is no number`,
	`[{"get":"@[0]"},{"sort":"@"}]`:                "it needs a list, and found an object",
	`[{"get":"` + strings.Repeat("(", 200) + `"}]`: "nested too deep",
}

func TestJSONTransform(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what starts processes")
	}
	pool, modules := sandbox(t)
	s := newStage(t, pool, modules.digests["json-transform"])
	for _, c := range transforms {
		var r struct{ Value json.RawMessage }
		s.want(t, "transform", map[string]any{"input": json.RawMessage(c.input), "steps": json.RawMessage(c.steps)}, "", &r)
		var got, want bytes.Buffer
		if json.Compact(&got, r.Value) != nil || json.Compact(&want, []byte(c.want)) != nil || got.String() != want.String() {
			t.Errorf("%s of %s: got %s, want %s", c.steps, c.input, r.Value, c.want)
		}
	}
	for steps, says := range wrongSteps {
		r := s.run(t, "transform", map[string]any{"input": json.RawMessage(people), "steps": json.RawMessage(steps)})
		if !strings.Contains(r.Message, says) || r.Error == nil || r.StatusCode/100 != 4 {
			t.Errorf("%s: %d %s", steps, r.StatusCode, r.Message)
		}
	}
	path := s.write(t, "a.jsonl", []byte("\ufeff{\"a\":1}\n\n{\"a\":2}\r\n"))
	r := s.want(t, "transform", map[string]any{"path": path, "lines": true, "steps": []any{map[string]string{"map": "a"}}, "save_as": "a.json"}, "", nil)
	if string(r.Result) != `{"value":[1,2],"count":2}` || len(r.Data) != 1 || r.Data[0].Name != "a.json" {
		t.Errorf("a file of lines: %s, %+v", r.Result, r.Data)
	}
	long := s.write(t, "long.json", []byte(`["`+strings.Repeat("ü", 2<<20)+`"]`))
	if r := s.want(t, "transform", map[string]any{"path": long, "save_as": "b"}, "", nil); string(r.Result) != `{"count":1}` {
		t.Errorf("a long value is in the result: %d bytes", len(r.Result))
	}
	for code, params := range map[string]map[string]any{
		"too_large":      {"path": long},
		"no_json":        {"text": "{"},
		"too_few":        {"text": "[]", "at_least": 1},
		"too_many":       {"text": "[1]", "at_most": 0},
		"invalid_params": {"text": "1", "input": 1},
		"not_found":      {"path": filepath.Join(s.dir, "none")},
	} {
		s.want(t, "transform", params, code, nil)
	}
}
