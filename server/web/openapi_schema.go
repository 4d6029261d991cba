package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"octopus/views"
)

// apiSchema is as much of a JSON Schema as the page of the API shows.
type apiSchema struct {
	Ref         string               `json:"$ref"`
	Type        any                  `json:"type"` // a name, or a list of names
	Format      string               `json:"format"`
	Description string               `json:"description"`
	Properties  map[string]apiSchema `json:"properties"`
	Required    []string             `json:"required"`
	Items       *apiSchema           `json:"items"`
	More        json.RawMessage      `json:"additionalProperties"` // a schema, or a bool
	Enum        []any                `json:"enum"`
	Default     any                  `json:"default"`
	Examples    []any                `json:"examples"`
	Minimum     *float64             `json:"minimum"`
	Maximum     *float64             `json:"maximum"`
	MinLength   int                  `json:"minLength"`
	MaxLength   int                  `json:"maxLength"`
	WriteOnly   bool                 `json:"writeOnly"`
}

func (s apiSchema) refName() string { return strings.TrimPrefix(s.Ref, "#/components/schemas/") }

// kind is the type without "null".
func (s apiSchema) kind() string {
	switch t := s.Type.(type) {
	case string:
		return t
	case []any:
		for _, name := range t {
			if name, ok := name.(string); ok && name != "null" {
				return name
			}
		}
	}
	return ""
}

// name is how the type reads.
func (s apiSchema) name() views.APITypeName {
	switch {
	case s.Ref != "":
		return views.APITypeName{Ref: s.refName()}
	case s.kind() == "array" && s.Items != nil:
		t := s.Items.name()
		t.Before = "list of " + t.Before
		return t
	case s.kind() == "object":
		var values apiSchema
		if json.Unmarshal(s.More, &values) == nil && (values.Ref != "" || values.kind() != "") {
			t := values.name()
			t.Before = "map of " + t.Before
			return t
		}
	case s.Format == "date-time":
		return views.APITypeName{Before: "time"}
	case s.kind() == "":
		return views.APITypeName{Before: "any JSON"}
	}
	return views.APITypeName{Before: s.kind()}
}

// fields are the properties, required ones first, marked with what their being required means.
func (s apiSchema) fields(mark views.Must) (out []views.APIField) {
	for _, name := range sortedKeys(s.Properties) {
		f := s.Properties[name].field(name)
		if slices.Contains(s.Required, name) {
			f.Must = mark
		}
		out = append(out, f)
	}
	slices.SortStableFunc(out, requiredFirst)
	return out
}

func (s apiSchema) field(name string) views.APIField {
	f := views.APIField{Name: name, Type: s.name(), About: s.Description, Limits: s.limits()}
	if len(s.Examples) > 0 {
		f.Example = shown(s.Examples[0])
	}
	return f
}

// limits are what a value must keep to, in words.
func (s apiSchema) limits() string {
	var out []string
	if len(s.Enum) > 0 {
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprint(v))
		}
		out = append(out, strings.Join(values, " | "))
	}
	switch {
	case s.Minimum != nil && s.Maximum != nil:
		out = append(out, number(*s.Minimum)+" to "+number(*s.Maximum))
	case s.Minimum != nil:
		out = append(out, "at least "+number(*s.Minimum))
	case s.Maximum != nil:
		out = append(out, "at most "+number(*s.Maximum))
	}
	switch {
	case s.MinLength > 1 && s.MaxLength > 0:
		out = append(out, fmt.Sprintf("%d to %d characters", s.MinLength, s.MaxLength))
	case s.MaxLength > 0:
		out = append(out, fmt.Sprintf("at most %d characters", s.MaxLength))
	case s.MinLength > 1:
		out = append(out, fmt.Sprintf("at least %d characters", s.MinLength))
	}
	if s.Default != nil {
		out = append(out, "default "+shown(s.Default))
	}
	if s.WriteOnly {
		out = append(out, "never sent back")
	}
	return strings.Join(out, ", ")
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// shown is a value as one reads it: texts without quotes, the rest as JSON.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

// maxDepth ends examples of types that hold themselves.
const maxDepth = 4

// example is a value with what is required and what has an example of its own; without either, the first field.
func (d *openAPI) example(s apiSchema, depth int) any {
	if len(s.Examples) > 0 {
		return s.Examples[0]
	}
	s = d.resolve(s)
	switch {
	case len(s.Examples) > 0:
		return s.Examples[0]
	case s.Default != nil:
		return s.Default
	case len(s.Enum) > 0:
		return s.Enum[0]
	case depth > maxDepth:
		return nil
	}
	switch s.kind() {
	case "object", "":
		return d.exampleObject(s, depth)
	case "array":
		return []any{}
	case "boolean":
		return true
	case "integer", "number":
		if s.Minimum != nil {
			return max(*s.Minimum, 1)
		}
		return 1
	}
	return "…"
}

func (d *openAPI) exampleObject(s apiSchema, depth int) any {
	out := make(map[string]any)
	names := sortedKeys(s.Properties)
	for _, name := range names {
		if slices.Contains(s.Required, name) || len(s.Properties[name].Examples) > 0 {
			out[name] = d.example(s.Properties[name], depth+1)
		}
	}
	if len(out) == 0 && len(names) > 0 {
		out[names[0]] = d.example(s.Properties[names[0]], depth+1)
	}
	return out
}
