package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"octopus/sdk/spec"
	"octopus/wasmplugins"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func knowing(pairs ...string) *Redactor {
	r := new(Redactor)
	for i := 0; i < len(pairs); i += 2 {
		r.Add(pairs[i], pairs[i+1])
	}
	return r
}

// TestForms: a value is found in the ways in which programs write it down.
func TestForms(t *testing.T) {
	t.Parallel()
	const value = `p/a+ss "wörd" <1>&x`
	r := knowing("key", value)
	std, safe := base64.StdEncoding, base64.RawURLEncoding
	quoted, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"plain": value, "query": url.QueryEscape(value), "path": url.PathEscape(value),
		"lower": "p%2fa%2bss+%22w%c3%b6rd%22+%3c1%3e%26x",
		"json":  strings.Trim(string(quoted), `"`), "json of a page": `p/a+ss \"wörd\" <1>&x`, "php": `p\/a+ss \"wörd\" <1>&x`,
		"component": "p%2Fa%2Bss%20%22w%C3%B6rd%22%20%3C1%3E%26x", "base64": std.EncodeToString([]byte(value)),
		"base64 of a URL": safe.EncodeToString([]byte(value)), "hex": hex.EncodeToString([]byte(value)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(value))),
	} {
		if got := r.Text("<" + text + ">"); got != "<[secret key]>" {
			t.Errorf("%s: %s became %s", name, text, got)
		}
	}
	for _, user := range []string{"", "a", "ad", "ada:", "longer:"} {
		basic := std.EncodeToString([]byte(user + value + "!"))
		got := r.Text("Basic " + basic)
		if !strings.Contains(got, "[secret key]") || len(got) > len("Basic [secret key]")+len(user)*2+6 {
			t.Errorf("%q in base64: %s became %s", user, basic, got)
		}
	}
	key := knowing("pem", "-----BEGIN KEY-----\nMIIBVgIBADANBgkq\nhkiG9w0BAQEF\n-----END KEY-----\n")
	for line, want := range map[string]string{"at MIIBVgIBADANBgkq": "at [secret pem]", "-----BEGIN KEY-----": "-----BEGIN KEY-----", "hkiG9w0BAQEF.": "[secret pem]."} {
		if got := key.Text(line); got != want {
			t.Errorf("%s became %s", line, got)
		}
	}
}

// TestOverlaps: what one secret leaves over of another is not left over; short values are left alone.
func TestOverlaps(t *testing.T) {
	t.Parallel()
	r := knowing("a", "abcd", "b", "cdefgh", "short", "xyz", "long", "abcdxyz1")
	for text, want := range map[string]string{
		"abcdefgh": "[secret a]", "abcdabcd": "[secret a][secret a]", "xyz": "xyz", "cdefgh!": "[secret b]!", "-abcdxyz1-": "[secret long]",
		"abc": "abc", "": "", "ab cd": "ab cd",
	} {
		got := r.Text(text)
		if text == "-abcdxyz1-" {
			want = "-[secret long]-"
		}
		if got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
	if got := new(Redactor).Text("abcd"); got != "abcd" {
		t.Error(got)
	}
}

// naive is what a redactor must do, letter by letter.
func naive(r *Redactor, text string) string {
	covered, tokens := make([]int, len(text)), map[int]string{}
	for i := range text {
		best := pattern{}
		for _, p := range r.patterns {
			if strings.HasPrefix(text[i:], string(p.text)) && len(p.text) > len(best.text) {
				best = p
			}
		}
		for j := range best.text {
			covered[i+j] = max(covered[i+j], 1)
		}
		if len(best.text) > 0 {
			tokens[i] = best.token
		}
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		if covered[i] == 0 {
			b.WriteByte(text[i])
			i++
			continue
		}
		b.WriteString(tokens[i]) // a covered stretch begins with an occurrence
		end := i + 1
		reach := i
		for j := i; j < len(text) && covered[j] == 1; j++ {
			if _, begins := tokens[j]; begins {
				if j > i && j >= reach {
					break // it only touches what is before it
				}
				for _, p := range r.patterns {
					if strings.HasPrefix(text[j:], string(p.text)) {
						reach = max(reach, j+len(p.text))
					}
				}
			}
			end = j + 1
		}
		i = end
	}
	return b.String()
}

// FuzzText: it replaces exactly the occurrences of what it knows, as a naive reader finds them.
func FuzzText(f *testing.F) {
	f.Add("abcd", "cdefgh", "xx abcdefgh abcdabcd yy")
	f.Add("aaaa", "aaaaa", "aaaaaaaaaaab")
	f.Add("\xff\xfe\x00\x01", "pass word", "\xff\xfe\x00\x01pass+word")
	f.Fuzz(func(t *testing.T, one, two, text string) {
		if len(one)+len(two) > 200 || len(text) > 2000 {
			return
		}
		r := knowing("one", one, "two", two)
		if got, want := r.Text(text), naive(r, text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	})
}

// logged writes text as the sandbox would, in lines cut after size bytes, some of them in one batch, and returns what
// comes out, joined where it was cut.
func logged(r *Redactor, text string, size int, batch func(n int) int) string {
	var parts []wasmplugins.LogLine
	for len(text) > size {
		parts = append(parts, wasmplugins.LogLine{Text: text[:size], Cut: true})
		text = text[size:]
	}
	parts = append(parts, wasmplugins.LogLine{Text: text})
	var b strings.Builder
	l := Lines{Redactor: r, Out: func(lines []wasmplugins.LogLine) {
		for _, line := range lines {
			b.WriteString(line.Text)
		}
	}}
	for len(parts) > 0 {
		n := min(batch(len(parts)), len(parts))
		l.Write(parts[:n])
		parts = parts[n:]
	}
	l.Close()
	return b.String()
}

// FuzzLines: however a line is cut and comes in, no part of a secret is left, and nothing else is lost.
func FuzzLines(f *testing.F) {
	f.Add("hunter2 hunter2", "the password is hunter2 hunter2, is it not? hunter2 hunter2", 7, uint64(1))
	f.Add("aaaaaaaa", strings.Repeat("a", 64), 5, uint64(2))
	f.Fuzz(func(t *testing.T, secret, text string, size int, seed uint64) {
		if size < 1 || size > 500 || len(secret) > 100 || len(text) > 3000 {
			return
		}
		r, random := knowing("s", secret), rand.New(rand.NewPCG(seed, 1))
		got := logged(r, text, size, func(n int) int { return 1 + random.IntN(n) })
		if rest := strings.ReplaceAll(got, "[secret s]", "\x00"); len(secret) >= MinLength && strings.Contains(rest, secret) && !strings.Contains(secret, "\x00") {
			t.Fatalf("%q leaves as %q", text, got)
		}
		// What is not a secret, nor the beginning of one at a cut, is what a redactor of the whole text leaves.
		if want := naive(r, text); !begins(r, text, size) && got != want {
			t.Errorf("%q in lines of %d became %q, want %q", text, size, got, want)
		}
	})
}

// begins reports whether a cut leaves the beginning of a secret, which is replaced to be sure.
func begins(r *Redactor, text string, size int) bool {
	for end := size; end < len(text); end += size {
		if at, _ := r.unfinished([]byte(text[:end])); at < end {
			return true
		}
	}
	return false
}

// TestLines: a secret across a cut goes, also one that is longer than a line, also in a line without an end.
func TestLines(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("0123456789abcdef", 40)
	r := knowing("long", secret, "pass", "hunter2 hunter2")
	text := strings.Repeat("x", 95) + "hunter2 hunter2" + strings.Repeat("y", 500) + secret + "."
	for _, batch := range []int{1, 2, 100} {
		got := logged(r, text, 100, func(int) int { return batch })
		if want := strings.Repeat("x", 95) + "[secret pass]" + strings.Repeat("y", 500) + "[secret long]."; got != want {
			t.Errorf("%d: %s", batch, got)
		}
	}
	endless := strings.Repeat(strings.Repeat("z", 997)+secret, 200)
	for _, size := range []int{8192, 100} {
		got := logged(r, endless, size, func(int) int { return 1 })
		if want := strings.Repeat(strings.Repeat("z", 997)+"[secret long]", 200); got != want {
			t.Errorf("an endless line in parts of %d: %d bytes, want %d", size, len(got), len(want))
		}
	}
	var lines []string
	l := Lines{Redactor: r, Out: func(out []wasmplugins.LogLine) {
		for _, line := range out {
			lines = append(lines, line.Text)
		}
	}}
	l.Write([]wasmplugins.LogLine{{Text: "the end of it was left out: hunter2 hun", Cut: true}, {Text: "another line"}, {Text: "hunter2 hun"}})
	l.Close()
	if want := []string{"the end of it was left out: [secret pass]", "another line", "hunter2 hun"}; !slices.Equal(lines, want) {
		t.Errorf("%q", lines)
	}
}

// TestResponse: every part of a response is looked at, in the encodings that it has.
func TestResponse(t *testing.T) {
	t.Parallel()
	r := knowing("pin", "13371337", "pass", "pass\"word")
	file := base64.StdEncoding.EncodeToString([]byte("x=13371337\n"))
	in := spec.Response{
		StatusCode: 500, Message: "no 13371337", Result: json.RawMessage(`{"a": [13371337, -1.5e3, true, "pass\u0022word", "\ud83d\ude00"], "13371337": null, "n":1}`),
		Data: []spec.Operation{
			{Type: "file", Name: "f", Encoding: "base64", Value: json.RawMessage(`"` + file + `"`)},
			{Type: "db", Name: "13371337", Value: json.RawMessage(`"pass\"word"`)},
		},
		Metrics: map[string]float64{"pin": 13371337, "n": 2},
		Error:   &spec.ResponseError{Code: "c", Message: "13371337", Details: json.RawMessage(`["13371337"]`)},
	}
	before, _ := json.Marshal(in)
	out := r.Response(in)
	got, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if after, _ := json.Marshal(in); string(after) != string(before) {
		t.Error("it changed what it was given")
	}
	want := `{"status_code":500,"message":"no [secret pin]","data":[{"type":"file","name":"f","value":"` +
		base64.StdEncoding.EncodeToString([]byte("x=[secret pin]\n")) + `","encoding":"base64"},` +
		`{"type":"db","name":"[secret pin]","value":"[secret pass]"}],` +
		`"result":{"a":["[secret pin]",-1.5e3,true,"[secret pass]","\ud83d\ude00"],"[secret pin]":null,"n":1},"metrics":{"n":2},` +
		`"error":{"code":"c","message":"[secret pin]","details":["[secret pin]"]}}`
	if string(got) != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}

// FuzzJSON: what was valid stays valid, and its strings and numbers hold no secret; what has none is not touched.
func FuzzJSON(f *testing.F) {
	f.Add("1234", `{"a":[12345,"x1234","\u0031234",true],"1234":{}}`)
	f.Add("e+10", `[1e+10, "1e+10"]`)
	f.Fuzz(func(t *testing.T, secret, text string) {
		if !json.Valid([]byte(text)) || len(text) > 2000 || len(secret) > 50 {
			return
		}
		r := knowing("s", secret)
		out := r.JSON(json.RawMessage(text))
		if !json.Valid(out) {
			t.Fatalf("%s became %s", text, out)
		}
		dec := json.NewDecoder(strings.NewReader(string(out)))
		dec.UseNumber()
		for {
			token, err := dec.Token()
			if err != nil {
				break
			}
			said := ""
			switch v := token.(type) {
			case string:
				said = v
			case json.Number:
				said = v.String()
			}
			if rest := strings.ReplaceAll(said, "[secret s]", "\x00"); len(secret) >= MinLength && strings.Contains(rest, secret) {
				t.Errorf("%s became %s, which holds %q", text, out, secret)
			}
		}
	})
}
