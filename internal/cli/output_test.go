package cli

import (
	"bytes"
	"encoding/json"
	"testing"
	"text/tabwriter"
	"time"

	"octopus/sdk"
)

// TestPrint: the three formats have the same names.
func TestPrint(t *testing.T) {
	t.Parallel()
	page := sdk.Page[sdk.Token]{Items: []sdk.Token{{ID: "tok_1", Name: "a: b", Role: "viewer", CreatedAt: time.Unix(0, 0).UTC()}}}
	for format, want := range map[string]string{
		"json":  "{\n  \"items\": [\n    {\n      \"id\": \"tok_1\",\n      \"name\": \"a: b\",\n      \"role\": \"viewer\",\n      \"created_at\": \"1970-01-01T00:00:00Z\"\n    }\n  ]\n}\n",
		"yaml":  "items:\n  - id: tok_1\n    name: 'a: b'\n    role: viewer\n    created_at: \"1970-01-01T00:00:00Z\"\n",
		"table": "TOKEN  NAME  ROLE    EXPIRES  LAST USED\ntok_1  a: b  viewer  never    –\n",
	} {
		var out bytes.Buffer
		a := &app{Streams: Streams{Out: &out, Err: &out}, flags: globals{output: format}}
		if err := a.print(page, func(t *tabwriter.Writer) { tokenTable(t, page.Items) }); err != nil {
			t.Error(err)
		}
		if out.String() != want {
			t.Errorf("%s:\n%s\nwant:\n%s", format, out.String(), want)
		}
	}
}

// TestEmptyPage is a list in JSON, not null.
func TestEmptyPage(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	a := &app{Streams: Streams{Out: &out}, flags: globals{output: "json"}}
	if err := printPage(a, sdk.Page[sdk.Token]{}, tokenTable); err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || string(got["items"]) != "[]" {
		t.Errorf("%s, error %v", out.String(), err)
	}
}

// TestWhen: times and durations as tables show them.
func TestWhen(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{ago(time.Time{}, now), "–"}, {ago(now.Add(-5*time.Second), now), "5 s ago"}, {ago(now.Add(-90*time.Minute), now), "1 h ago"},
		{ago(now.Add(-72*time.Hour), now), "3 d ago"}, {ago(now.Add(89*time.Second), now), "in 1 min"}, {ago(now.Add(24*time.Hour-time.Second), now), "in 24 h"},
		{took(0), "–"}, {took(1.234), "1.2 ms"}, {took(340), "340 ms"}, {took(2500), "2.5 s"}, {took(125_000), "2m5s"},
		{oneLine("first\nsecond", 20), "first"}, {oneLine("0123456789", 5), "0123…"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestNothingSteersTheTerminal(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain é漢 \ttab\nline": "plain é漢 \ttab\nline", "two\r\nlines": "two\nlines",
		"\x1b[31mred\x1b[0m": `\x1b[31mred\x1b[0m`, "\x1b]0;title\a": `\x1b]0;title\a`, "over\rwritten": `over\rwritten`,
		"\u009b2J": `\u009b2J`, "abc\u202exe": `abc\u202exe`, "\x00": `\x00`,
	} {
		if got := harmless(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
