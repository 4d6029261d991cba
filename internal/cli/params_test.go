package cli

import (
	"encoding/json"
	"strings"
	"testing"
)

const schema = `{"type": "object", "properties": {
	"url": {"type": "string"}, "count": {"type": "integer"}, "share": {"type": "number"}, "deep": {"type": "boolean"},
	"tags": {"type": "array", "items": {"type": "string"}}, "ports": {"type": "array", "items": {"type": "integer"}},
	"extra": {"type": "object"}, "maybe": {"type": ["string", "null"]}, "mode": {"enum": ["fast", "slow"]}, "level": {"enum": [1, 2]}}}`

// TestParams types --param by the schema, and joins it with --params.
func TestParams(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pairs       []string
		whole, in   string
		want, wrong string
	}{
		"text that looks like a number": {pairs: []string{"url=5"}, want: `{"url":"5"}`},
		"text with equals signs":        {pairs: []string{"url=https://x/?a=b"}, want: `{"url":"https://x/?a=b"}`},
		"empty text":                    {pairs: []string{"url="}, want: `{"url":""}`},
		"integer":                       {pairs: []string{"count=5"}, want: `{"count":5}`},
		"integer given as text":         {pairs: []string{"count=five"}, wrong: "Parameter count must be of type integer."},
		"integer with a fraction":       {pairs: []string{"count=1.5"}, wrong: "integer"},
		"number":                        {pairs: []string{"share=0.5"}, want: `{"share":0.5}`},
		"boolean":                       {pairs: []string{"deep=true"}, want: `{"deep":true}`},
		"boolean given as yes":          {pairs: []string{"deep=yes"}, wrong: "boolean"},
		"list of words":                 {pairs: []string{"tags=a", "tags=b"}, want: `{"tags":["a","b"]}`},
		"list as JSON":                  {pairs: []string{"ports=[80,443]"}, want: `{"ports":[80,443]}`},
		"object":                        {pairs: []string{`extra={"a":1}`}, want: `{"extra":{"a":1}}`},
		"null where it may be":          {pairs: []string{"maybe=null"}, want: `{"maybe":null}`},
		"text where null may be":        {pairs: []string{"maybe=x"}, want: `{"maybe":"x"}`},
		"one of some words":             {pairs: []string{"mode=fast"}, want: `{"mode":"fast"}`},
		"one of some numbers":           {pairs: []string{"level=2"}, want: `{"level":2}`},
		"unknown, JSON":                 {pairs: []string{"other=7"}, want: `{"other":7}`},
		"unknown, text":                 {pairs: []string{"other=seven"}, want: `{"other":"seven"}`},
		"all":                           {whole: `{"url":"x"}`, want: `{"url":"x"}`},
		"all from standard input":       {whole: "-", in: `{"url":"x"}`, want: `{"url":"x"}`},
		"all and one":                   {whole: `{"url":"x","count":1}`, pairs: []string{"count=2"}, want: `{"count":2,"url":"x"}`},
		"all, but no object":            {whole: `[1]`, wrong: "one JSON object"},
		"all, but null":                 {whole: `null`, wrong: "one JSON object"},
		"all, but cut off":              {whole: `{"url":`, wrong: "one JSON object"},
		"from no file":                  {whole: "@/nonexistent", wrong: "cannot be read"},
		"without a name":                {pairs: []string{"=x"}, wrong: "must look like name=value"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := paramFlags{pairs: c.pairs, whole: c.whole}.read(strings.NewReader(c.in), json.RawMessage(schema))
			if c.wrong != "" {
				if err == nil || !strings.Contains(err.Error(), c.wrong) || exitCode(err) != ExitUsage {
					t.Fatalf("got %s, error %v; want a usage error with %q", got, err, c.wrong)
				}
				return
			}
			if err != nil || string(got) != c.want {
				t.Errorf("got %s, error %v; want %s", got, err, c.want)
			}
		})
	}
}

// TestNoParams leaves the parameters out, so that the server's defaults hold.
func TestNoParams(t *testing.T) {
	t.Parallel()
	if got, err := (paramFlags{}).read(strings.NewReader(""), nil); got != nil || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}
