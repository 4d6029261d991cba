package catalog

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxWords is how much of a schema's own words an error repeats, in bytes.
const maxWords = 200

// form says what a text must look like whose schema has a pattern, as the end of a sentence: by the example that the
// schema gives, or its description, and only where it has neither by the pattern itself.
func form(schema any, schemaURL, pattern string) string {
	_, fragment, _ := strings.Cut(schemaURL, "#")
	at, _ := resolve(schema, fragment).(map[string]any)
	for _, example := range []any{first(at["examples"]), at["default"]} {
		if text, ok := example.(string); ok && text != "" && len(text) <= maxWords {
			return "must look like " + strconv.Quote(text) + "."
		}
	}
	for _, key := range []string{"description", "title"} {
		if text, ok := at[key].(string); ok && text != "" {
			return "does not have the right form: " + strings.TrimRight(shorten(text), ".") + "."
		}
	}
	return "must match the pattern " + pattern + " ."
}

func first(list any) any {
	if items, ok := list.([]any); ok && len(items) > 0 {
		return items[0]
	}
	return nil
}

// shorten cuts a text of the schema to its first line and to maxWords.
func shorten(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	if len(text) <= maxWords {
		return text
	}
	text = text[:maxWords]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	return text + "…"
}

// resolve follows a JSON pointer as it stands behind the # of a URL; nil where it leads nowhere.
func resolve(doc any, fragment string) any {
	for part := range strings.SplitSeq(strings.TrimPrefix(fragment, "/"), "/") {
		part, err := url.PathUnescape(part)
		if err != nil {
			return nil
		}
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		switch v := doc.(type) {
		case map[string]any:
			doc = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			doc = v[i]
		default:
			return nil
		}
	}
	return doc
}
