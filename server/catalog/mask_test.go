package catalog

import (
	"encoding/json"
	"testing"
)

func TestMask(t *testing.T) {
	t.Parallel()
	const schema = `{"type":"object","$defs":{"login":{"properties":{"user":{"type":"string"},"pass":{"format":"password"}}}},
		"properties":{"url":{"type":"string"},"key":{"type":"string","writeOnly":true},"login":{"$ref":"#/$defs/login"},
		"list":{"items":{"anyOf":[{"type":"string"},{"$ref":"#/$defs/login"}]}}},"additionalProperties":{"format":"password"}}`
	s := new(secrets)
	if err := decode([]byte(schema), &s.root); err != nil {
		t.Fatal(err)
	}
	const params = `{"extra":"s4","key":"s1","list":["plain",{"pass":"s3"}],"login":{"pass":"s2","user":"ada"},"url":"https://x/<>","n":9007199254740993}`
	const want = `{"extra":"********","key":"********","list":["plain",{"pass":"********"}],"login":{"pass":"********","user":"ada"},"n":"********","url":"https://x/<>"}`
	got := s.rewrite([]byte(params), func([]string, any) any { return Masked })
	if string(got) != want {
		t.Errorf("masked: %s\nwant    %s", got, want)
	}
	var before any
	if err := decode([]byte(params), &before); err != nil {
		t.Fatal(err)
	}
	edited := `{"key":"********","login":{"pass":"new","user":"bob"},"list":["plain",{"pass":"********"}],"url":"u"}`
	back := s.rewrite(json.RawMessage(edited), func(path []string, value any) any {
		if value != Masked {
			return value
		}
		return at(before, path)
	})
	const wantBack = `{"key":"s1","list":["plain",{"pass":"s3"}],"login":{"pass":"new","user":"bob"},"url":"u"}`
	if string(back) != wantBack {
		t.Errorf("unmasked: %s\nwant      %s", back, wantBack)
	}
}
