package views

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Bounds of what is drawn as tables; the JSON beside it has everything.
const (
	valueDepth   = 4
	valueRows    = 200
	valueColumns = 12
	valueText    = 4000 // bytes of one scalar
)

func valueOf(raw json.RawMessage, depth int) Value {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return Value{Kind: "scalar", Class: "null", Text: "null"}
	}
	switch {
	case depth >= valueDepth:
		return scalar("", string(raw))
	case raw[0] == '{':
		return object(raw, depth)
	case raw[0] == '[':
		return array(raw, depth)
	case raw[0] == '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return scalar("", s)
		}
	case string(raw) == "null":
		return scalar("null", "null")
	}
	return scalar("n", string(raw))
}

func scalar(class, text string) Value {
	if len(text) > valueText {
		text = strings.ToValidUTF8(text[:valueText], "") + "…"
	}
	return Value{Kind: "scalar", Class: class, Text: text}
}

// members reads an object in the order in which it was written.
func members(raw json.RawMessage) (keys []string, values []json.RawMessage) {
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		return nil, nil
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return keys, values
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return keys, values
		}
		keys, values = append(keys, fmt.Sprint(key)), append(values, value)
	}
	return keys, values
}

func object(raw json.RawMessage, depth int) Value {
	out := Value{Kind: "object"}
	keys, values := members(raw)
	for i, key := range keys {
		if i == valueRows {
			out.More = len(keys) - i
			break
		}
		out.Pairs = append(out.Pairs, ValuePair{key, valueOf(values[i], depth+1)})
	}
	return out
}

func array(raw json.RawMessage, depth int) Value {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		return scalar("", string(raw))
	}
	out := Value{Kind: "rows", Columns: columns(items)}
	if out.Columns == nil {
		out.Kind = "list"
	}
	for i, item := range items {
		if i == valueRows {
			out.More = len(items) - i
			break
		}
		if out.Kind == "list" {
			out.Rows = append(out.Rows, []Value{valueOf(item, depth+1)})
			continue
		}
		row := make([]Value, len(out.Columns))
		keys, values := members(item)
		for c, column := range out.Columns {
			row[c] = Value{Kind: "scalar"}
			for k, key := range keys {
				if key == column {
					row[c] = valueOf(values[k], depth+1)
				}
			}
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}

// columns are the names that occur in a list of objects, nil for any other list.
func columns(items []json.RawMessage) []string {
	var out []string
	seen := make(map[string]bool)
	for i, item := range items {
		if item = bytes.TrimSpace(item); len(item) == 0 || item[0] != '{' {
			return nil
		}
		if i >= valueRows {
			break
		}
		keys, _ := members(item)
		for _, key := range keys {
			if !seen[key] && len(out) < valueColumns {
				seen[key] = true
				out = append(out, key)
			}
		}
	}
	return out
}

// Pretty indents JSON for people; what is not JSON stays as it is.
func Pretty(raw []byte) string {
	var out bytes.Buffer
	if json.Indent(&out, raw, "", "  ") != nil {
		return string(raw)
	}
	return out.String()
}
