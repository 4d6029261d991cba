package redact

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// minPart is the least length of what base64 makes of a part of a value, or of a line of one: shorter ones would be
// found where there is no secret.
const minPart = 6

// forms are the ways in which a value is looked for, without doubles, none shorter than MinLength.
func forms(value string) []string {
	all := []string{value}
	if trimmed := strings.TrimSpace(value); trimmed != value {
		all = append(all, trimmed)
	}
	all = append(all, lines(value)...)
	var out []string
	for _, v := range all {
		if len(v) < MinLength {
			continue
		}
		for _, f := range slices.Concat([]string{v}, escaped(v), inBase64(v), inHex(v)) {
			if len(f) >= MinLength && !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	return out
}

// lines are those of a value with several, such as a private key: a log has them one by one. What frames a key is no
// secret.
func lines(value string) (out []string) {
	if !strings.Contains(strings.TrimSpace(value), "\n") {
		return nil
	}
	for line := range strings.Lines(value) {
		if line = strings.TrimSpace(line); len(line) >= minPart && !strings.HasPrefix(line, "-----") {
			out = append(out, line)
		}
	}
	return out
}

// escaped is how a value stands in URLs and in JSON.
func escaped(v string) (out []string) {
	for _, e := range []string{url.QueryEscape(v), url.PathEscape(v), component(v)} {
		out = append(out, e, lowerHex(e))
	}
	if quoted, err := json.Marshal(v); err == nil {
		out = append(out, string(quoted[1:len(quoted)-1]))
	}
	var plain strings.Builder
	enc := json.NewEncoder(&plain)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) == nil {
		quoted := strings.TrimSuffix(plain.String(), "\n")
		out = append(out, quoted[1:len(quoted)-1], strings.ReplaceAll(quoted[1:len(quoted)-1], "/", `\/`))
	}
	return out
}

// component is what JavaScript's encodeURIComponent makes of a value.
func component(v string) string {
	var b strings.Builder
	for i := range len(v) {
		c := v[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-_.!~*'()", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
	}
	return b.String()
}

// lowerHex writes the escapes of a URL with small letters.
func lowerHex(v string) string {
	out := []byte(v)
	for i := 0; i+2 < len(out); i++ {
		if out[i] == '%' {
			copy(out[i+1:], strings.ToLower(string(out[i+1:i+3])))
		}
	}
	return string(out)
}

// inBase64 is a value in either alphabet: by itself, and within something longer, as in "Basic …" of a name and a
// password. Where it begins there decides which of three texts it gives.
func inBase64(v string) (out []string) {
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		out = append(out, enc.EncodeToString([]byte(v)), enc.WithPadding(base64.NoPadding).EncodeToString([]byte(v)))
		for before := range 3 {
			text := enc.WithPadding(base64.NoPadding).EncodeToString(append(make([]byte, before), v...))
			first := (before*8 + 5) / 6       // the characters before it hold bits of what stands before the value
			last := (before + len(v)) * 8 / 6 // and those from here on bits of what follows
			if part := text[first:last]; len(part) >= minPart {
				out = append(out, part)
			}
		}
	}
	return out
}

func inHex(v string) []string {
	h := hex.EncodeToString([]byte(v))
	return []string{h, strings.ToUpper(h)}
}
