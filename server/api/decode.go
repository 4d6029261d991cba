package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"octopus/internal/octopus"
)

// Limits on bodies, in bytes, checked before they are parsed.
const (
	maxBody    = 1 << 20
	maxScripts = 5 << 20    // two files of 1 MiB, escaped
	maxUpload  = 32<<20 + 1 // huma refuses a body that reaches its limit
	maxDepth   = 100        // of nested objects and arrays
)

// format reads and writes JSON. huma first reads a body as any value, to compare it with the schema, and then
// into its struct: the first reading refuses what the second could understand in another way.
var format = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return enc.Encode(v)
	},
	Unmarshal: func(data []byte, v any) error {
		loose, ok := v.(*any)
		if !ok {
			return json.Unmarshal(data, v)
		}
		value, err := parse(data)
		*loose = value
		return err
	},
}

// parse reads one JSON value. Its errors are sentences that do not repeat what was sent.
func parse(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	value, err := parseValue(dec, 0)
	if err == nil {
		if _, more := dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("more than one value")
		}
	}
	var said *octopus.Error
	switch {
	case err == nil:
		return value, nil
	case errors.As(err, &said):
		return nil, said
	}
	return nil, octopus.Errorf(octopus.CodeMalformed, "The body is not valid JSON: something is wrong near byte %d.", dec.InputOffset())
}

func parseValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, octopus.Errorf(octopus.CodeMalformed, "The body is nested deeper than %d levels.", maxDepth)
	}
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return parseObject(dec, depth)
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			item, err := parseValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		_, err := dec.Token()
		return list, err
	}
	if text, ok := token.(string); ok && strings.ContainsRune(text, 0) {
		return nil, octopus.Errorf(octopus.CodeMalformed, "The body has a text with the character NUL, which no database stores.")
	}
	return token, nil
}

// parseObject refuses a key that comes twice: readers disagree on which one counts.
func parseObject(dec *json.Decoder, depth int) (any, error) {
	object := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if !ok {
			return nil, errors.New("key expected")
		}
		if _, twice := object[key]; twice {
			return nil, octopus.Errorf(octopus.CodeMalformed, "The body has the key %q twice.", short(key, 64))
		}
		if object[key], err = parseValue(dec, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := dec.Token()
	return object, err
}

// short cuts s to n bytes for a sentence.
func short(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
