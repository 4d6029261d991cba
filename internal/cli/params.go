package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// paramFlags are --param and --params, which everything that takes parameters has.
type paramFlags struct {
	pairs []string
	whole string
}

func (p *paramFlags) register(fs *pflag.FlagSet) {
	fs.StringArrayVar(&p.pairs, "param", nil, "parameter k=v, typed by the action's schema; may be repeated")
	fs.StringVar(&p.whole, "params", "", "all parameters as JSON: '{…}', @file or - for standard input")
}

// given reports whether any parameter was named.
func (p paramFlags) given() bool { return len(p.pairs) > 0 || p.whole != "" }

// read returns the parameters as one JSON object, nil when none was given. schema is the action's; nil guesses.
func (p paramFlags) read(in io.Reader, schema json.RawMessage) (json.RawMessage, error) {
	if !p.given() {
		return nil, nil
	}
	object := map[string]json.RawMessage{}
	if p.whole != "" {
		raw, err := readArgument(in, p.whole)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(raw, &object); err != nil || object == nil {
			return nil, usagef("--params must be one JSON object such as '{\"url\": \"https://example.com\"}'.")
		}
	}
	types := propertyTypes(schema)
	listed := map[string]bool{}
	for _, pair := range p.pairs {
		name, text, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, usagef("--param is %q, but must look like name=value.", pair)
		}
		value, isList, err := typed(name, text, types[name])
		if err != nil {
			return nil, err
		}
		if isList {
			if listed[name] {
				value = joinLists(object[name], value)
			}
			listed[name] = true
		}
		object[name] = value
	}
	return json.Marshal(object)
}

// readArgument reads text, @file, or - for standard input.
func readArgument(in io.Reader, arg string) ([]byte, error) {
	switch {
	case arg == "-":
		return io.ReadAll(in)
	case strings.HasPrefix(arg, "@"):
		raw, err := os.ReadFile(arg[1:])
		if err != nil {
			var why *fs.PathError
			if errors.As(err, &why) {
				err = why.Err // the path is in the sentence
			}
			return nil, usagef("%s cannot be read: %v.", arg[1:], err)
		}
		return raw, nil
	}
	return []byte(arg), nil
}

// propertyTypes maps the properties of a JSON Schema to the types that they may have.
func propertyTypes(schema json.RawMessage) map[string][]string {
	var s struct {
		Properties map[string]struct {
			Type  any   `json:"type"`
			Const any   `json:"const"`
			Enum  []any `json:"enum"`
		} `json:"properties"`
	}
	if json.Unmarshal(schema, &s) != nil {
		return nil
	}
	out := map[string][]string{}
	for name, p := range s.Properties {
		switch t := p.Type.(type) {
		case string:
			out[name] = []string{t}
		case []any:
			for _, v := range t {
				out[name] = append(out[name], fmt.Sprint(v))
			}
		default:
			out[name] = typesOf(append(p.Enum, p.Const))
		}
	}
	return out
}

// typesOf tells the types of a schema that names only values.
func typesOf(values []any) (types []string) {
	for _, v := range values {
		switch v.(type) {
		case string:
			types = append(types, "string")
		case float64:
			types = append(types, "number")
		case bool:
			types = append(types, "boolean")
		}
	}
	return types
}

// typed turns the text of --param into JSON. Without types it takes what reads as JSON as JSON, anything else as a
// string. isList says that the value may be appended to by a further --param of the same name.
func typed(name, text string, types []string) (value json.RawMessage, isList bool, err error) {
	has := func(t string) bool { return slices.Contains(types, t) }
	var v any
	isJSON := json.Unmarshal([]byte(text), &v) == nil
	number, _ := v.(float64)
	_, isNumber := v.(float64)
	_, isBool := v.(bool)
	_, isArray := v.([]any)
	_, isObject := v.(map[string]any)
	switch {
	case len(types) == 0 && isJSON,
		has("integer") && isNumber && number == float64(int64(number)),
		has("number") && isNumber,
		has("boolean") && isBool,
		has("null") && text == "null",
		has("object") && isObject:
		return json.RawMessage(text), false, nil
	case has("array") && isArray:
		return json.RawMessage(text), true, nil
	case has("array") && !has("string"):
		raw, err := json.Marshal([]string{text})
		return raw, true, err
	case len(types) == 0, has("string"):
		raw, err := json.Marshal(text)
		return raw, false, err
	}
	return nil, false, usagef("Parameter %s must be of type %s.", name, strings.Join(types, " or "))
}

// joinLists appends the elements of b to a. Both are JSON arrays.
func joinLists(a, b json.RawMessage) json.RawMessage {
	var left, right []json.RawMessage
	if json.Unmarshal(a, &left) != nil || json.Unmarshal(b, &right) != nil {
		return b
	}
	raw, err := json.Marshal(append(left, right...))
	if err != nil {
		return b
	}
	return raw
}
