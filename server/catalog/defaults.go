package catalog

import (
	"maps"
	"slices"

	"octopus/internal/octopus"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Bounds on work: schemas come with plugins. One that refers to itself from a
// default would grow for ever, one that refers to itself twice would be
// validated for hours, because each level of nesting doubles the work.
const (
	maxDefaultDepth = 32
	maxDefaults     = 10_000
	maxVisits       = 200_000 // of a part of the schema with a part of the value
)

// fill puts the defaults of a schema into value where properties are missing.
// It follows $ref and allOf, and goes into objects and arrays that are there
// or came as a default; what depends on a choice (anyOf, oneOf, if) is left
// alone, because the choice is not known before validation.
func fill(s *jsonschema.Schema, value any) error {
	f := filler{defaults: maxDefaults, visits: maxVisits}
	f.fill(s, value, 0)
	switch {
	case f.defaults < 0:
		return octopus.InvalidField("/params", "The plugin's schema has too many defaults; its author must simplify it.")
	case f.visits < 0:
		return tooMuch()
	}
	return nil
}

func tooMuch() error {
	return octopus.InvalidField("/params", "The parameters are nested too deeply for the plugin's schema.")
}

type filler struct{ defaults, visits int }

func (f *filler) fill(s *jsonschema.Schema, value any, depth int) {
	if f.visits--; s == nil || depth > maxDefaultDepth || f.visits < 0 || f.defaults < 0 {
		return
	}
	f.fill(s.Ref, value, depth+1)
	for _, part := range s.AllOf {
		f.fill(part, value, depth+1)
	}
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
			f.property(name, s.Properties[name], v, depth)
		}
	case []any:
		for i, item := range v {
			f.fill(itemSchema(s, i), item, depth+1)
		}
	}
}

func (f *filler) property(name string, s *jsonschema.Schema, object map[string]any, depth int) {
	if _, ok := object[name]; !ok {
		d := defaultOf(s, 0)
		if d == nil {
			return
		}
		f.defaults--
		object[name] = clone(*d)
	}
	f.fill(s, object[name], depth+1)
}

// defaultOf finds the default of a property, also behind a $ref.
func defaultOf(s *jsonschema.Schema, depth int) *any {
	if s == nil || depth > maxDefaultDepth {
		return nil
	}
	if s.Default != nil {
		return s.Default
	}
	return defaultOf(s.Ref, depth+1)
}

func itemSchema(s *jsonschema.Schema, i int) *jsonschema.Schema {
	if i < len(s.PrefixItems) {
		return s.PrefixItems[i]
	}
	return s.Items2020
}

// clone copies a default, which all executions share.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, item := range v {
			out[k] = clone(item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = clone(item)
		}
		return out
	}
	return v
}
