package catalog

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/stall"
	"octopus/wasmplugins/manifest"
)

func compileText(t testing.TB, schema string) *Params {
	t.Helper()
	p, err := CompileParams(json.RawMessage(schema))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ schema, params, want string }{
		"none":          {``, ``, `{}`},
		"null":          {``, ` null `, `{}`},
		"filled":        {`{"properties":{"a":{"default":1},"b":{"default":"x"}}}`, `{"b":"y"}`, `{"a":1,"b":"y"}`},
		"falsy stays":   {`{"properties":{"a":{"default":true}}}`, `{"a":false}`, `{"a":false}`},
		"null stays":    {`{"properties":{"a":{"default":true}}}`, `{"a":null}`, `{"a":null}`},
		"nested":        {`{"properties":{"o":{"properties":{"a":{"default":1}}}}}`, `{"o":{}}`, `{"o":{"a":1}}`},
		"not made":      {`{"properties":{"o":{"properties":{"a":{"default":1}}}}}`, `{}`, `{}`},
		"default's own": {`{"properties":{"o":{"default":{},"properties":{"a":{"default":1}}}}}`, `{}`, `{"o":{"a":1}}`},
		"items":         {`{"properties":{"l":{"items":{"properties":{"a":{"default":1}}}}}}`, `{"l":[{},{"a":2}]}`, `{"l":[{"a":1},{"a":2}]}`},
		"prefix items":  {`{"properties":{"l":{"prefixItems":[{"properties":{"a":{"default":1}}}]}}}`, `{"l":[{},{}]}`, `{"l":[{"a":1},{}]}`},
		"ref":           {`{"properties":{"o":{"$ref":"#/$defs/x"}},"$defs":{"x":{"default":3}}}`, `{}`, `{"o":3}`},
		"all of":        {`{"allOf":[{"properties":{"a":{"default":1}}}]}`, `{}`, `{"a":1}`},
		"required too":  {`{"required":["a"],"properties":{"a":{"default":1}}}`, `{}`, `{"a":1}`},
		"big numbers":   {`{}`, `{"n":9007199254740993,"f":1.50}`, `{"f":1.50,"n":9007199254740993}`},
		"signs":         {`{}`, `{"u":"a&b<c>"}`, `{"u":"a&b<c>"}`},
		"turns":         {`{"$defs":{"x":{"properties":{"n":{"$ref":"#/$defs/x","default":{}}}}},"$ref":"#/$defs/x"}`, `{"n":null}`, `{"n":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := compileText(t, c.schema).Check(json.RawMessage(c.params))
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, %v, want %s", got, err, c.want)
			}
		})
	}
}

func TestDefaultsDoNotLeak(t *testing.T) {
	t.Parallel()
	p := compileText(t, `{"properties":{"o":{"default":{"l":[1]},"properties":{"a":{"default":1}}}}}`)
	for range 2 {
		if got, err := p.Check(json.RawMessage(`{}`)); err != nil || string(got) != `{"o":{"a":1,"l":[1]}}` {
			t.Fatalf("got %s, %v", got, err)
		}
	}
}

func TestEndlessDefaults(t *testing.T) {
	t.Parallel()
	p := compileText(t, `{"$defs":{"x":{"properties":{"a":{"$ref":"#/$defs/x","default":{}},"b":{"$ref":"#/$defs/x","default":{}}}}},"$ref":"#/$defs/x"}`)
	if _, err := p.Check(nil); octopus.CodeOf(err) != octopus.CodeInvalid {
		t.Errorf("got %v", err)
	}
}

func TestDoublingSchema(t *testing.T) {
	t.Parallel()
	twice := `{"properties":{"a":{"$ref":"#"}}}`
	p := compileText(t, `{"allOf":[`+twice+`,`+twice+`]}`)
	deep := strings.Repeat(`{"a":`, 60) + `{}` + strings.Repeat(`}`, 60)
	if _, err := p.Check(json.RawMessage(deep)); octopus.CodeOf(err) != octopus.CodeInvalid {
		t.Errorf("got %v", err)
	}
	if _, err := p.Check(json.RawMessage(`{"a":{"a":{"a":{}}}}`)); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestManyItems(t *testing.T) {
	t.Parallel()
	p := compileText(t, `{"properties":{"l":{"items":{"type":"integer"}}}}`)
	long := `{"l":[1` + strings.Repeat(",1", 12_000) + `]}`
	if _, err := p.Check(json.RawMessage(long)); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	const schema = `{"type":"object","required":["url"],"additionalProperties":false,"properties":{
		"url":{"type":"string","format":"uri","pattern":"^https?://"},"e":{"type":"string","pattern":"^v","examples":["v1.2"],"description":"A tag."},"d":{"type":"string","pattern":"^v","description":"A tag, beginning with v.\nAnd more."},
		"n":{"type":"integer","minimum":1,"exclusiveMaximum":10},
		"m":{"enum":["GET","HEAD"]},"l":{"type":"array","items":{"type":"object","required":["a/b"]},"maxItems":2,"uniqueItems":true},
		"s":{"type":"string","minLength":1,"maxLength":3},"c":{"anyOf":[{"type":"string"},{"type":"null"}]}}}`
	for params, want := range map[string]string{
		`{}`:                               "/params/url: Is required.",
		`{"url":"ftp://secret"}`:           "/params/url: Must match the pattern ^https?:// .",
		`{"url":"http://x","e":"secret"}`:  `/params/e: Must look like "v1.2".`,
		`{"url":"http://x","d":"secret"}`:  "/params/d: Does not have the right form: A tag, beginning with v.",
		`{"url":"no url"}`:                 "/params/url: Must be a URL such as https://example.com.",
		`{"url":"http://x","n":"7"}`:       "/params/n: Must be a whole number.",
		`{"url":"http://x","n":0}`:         "/params/n: Must be at least 1.",
		`{"url":"http://x","n":10}`:        "/params/n: Must be less than 10.",
		`{"url":"http://x","m":"PUT"}`:     "/params/m: Must be one of: GET, HEAD.",
		`{"url":"http://x","x":1}`:         "/params/x: Is not a parameter of this action.",
		`{"url":"http://x","l":[{}]}`:      "/params/l/0/a~1b: Is required.",
		`{"url":"http://x","s":""}`:        "/params/s: Must not be empty.",
		`{"url":"http://x","s":"secret"}`:  "/params/s: Must have at most 3 characters.",
		`{"url":"http://x","c":7}`:         "/params/c: Fits none of the allowed forms, or more than one.",
		`[]`:                               "/params: The parameters must be a JSON object.",
		`{`:                                "/params: The parameters are not valid JSON.",
		`{} {}`:                            "/params: The parameters are more than one JSON value.",
		`{"url":"http://x","l":[{},1,{}]}`: "",
	} {
		t.Run(params, func(t *testing.T) {
			t.Parallel()
			_, err := compileText(t, schema).Check(json.RawMessage(params))
			e, ok := errors.AsType[*octopus.Error](err)
			if !ok || e.Code != octopus.CodeInvalid || len(e.Fields) == 0 {
				t.Fatalf("got %v", err)
			}
			var all []string
			for _, f := range e.Fields {
				all = append(all, f.Field+": "+f.Message)
			}
			text := strings.Join(all, "\n")
			if !strings.Contains(text, want) || strings.Contains(text+e.Message, "secret") {
				t.Errorf("got %q (%s), want %q", text, e.Message, want)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	big := json.RawMessage(`{"a":"` + strings.Repeat("x", MaxParams) + `"}`)
	if _, err := compileText(t, ``).Check(big); octopus.CodeOf(err) != octopus.CodeTooLarge {
		t.Errorf("got %v", err)
	}
}

func TestNothingIsFetched(t *testing.T) {
	t.Parallel()
	for _, schema := range []string{`{"$ref":"https://example.com/x.json"}`, `{"$ref":"file:///etc/passwd"}`, `{"type":7}`, `{"pattern":"("}`, `[`} {
		if _, err := CompileParams(json.RawMessage(schema)); err == nil {
			t.Errorf("%s was compiled", schema)
		}
	}
}

// Every example and default in the manifests that we ship fits its own schema.
func TestBuiltinManifests(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../wasmplugins/builtin/*/plugin.yaml")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d manifests, %v", len(files), err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		_, m, err := manifest.FromYAML(source)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for _, test := range m.Tests {
			a, ok := m.Action(test.Action)
			if !ok {
				t.Errorf("%s: test %s names no action", file, test.Name)
				continue
			}
			if _, err := compileText(t, string(a.Params)).Check(test.Params); err != nil {
				t.Errorf("%s: test %s: %v", file, test.Name, err)
			}
		}
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(`{"properties":{"a":{"default":1}}}`, `{}`)
	f.Add(`{"$ref":"#"}`, `{"a":[]}`)
	f.Add(`{"$defs":{"x":{"properties":{"n":{"$ref":"#/$defs/x","default":{}}}}},"$ref":"#/$defs/x"}`, `{}`)
	f.Fuzz(func(t *testing.T, schema, params string) {
		p, err := CompileParams(json.RawMessage(schema))
		if err != nil {
			return
		}
		stalled, start := stall.Watch(t), time.Now()
		got, err := p.Check(json.RawMessage(params))
		if took := time.Since(start); took > 5*time.Second+stalled() {
			t.Errorf("took %s", took)
		}
		if err != nil {
			return
		}
		again, err := p.Check(got)
		if len(got) > MaxParams {
			return
		}
		if err != nil || string(again) != string(got) {
			t.Errorf("not stable: %s then %s, %v", got, again, err)
		}
	})
}
