package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"octopus/views"
)

// schema is the part of JSON Schema 2020-12 that forms are made from. What it does not know is edited as JSON.
type schema struct {
	Type        any               `json:"type"`
	Title       string            `json:"title"`
	Description string            `json:"description"`
	Format      string            `json:"format"`
	Enum        []json.RawMessage `json:"enum"`
	Const       json.RawMessage   `json:"const"`
	Default     json.RawMessage   `json:"default"`
	Examples    []json.RawMessage `json:"examples"`
	Required    []string          `json:"required"`
	Properties  json.RawMessage   `json:"properties"`
	Items       *schema           `json:"items"`
	WriteOnly   bool              `json:"writeOnly"`
	Minimum     json.Number       `json:"minimum"`
	Maximum     json.Number       `json:"maximum"`
	Multiline   bool              `json:"x-octopus-multiline"`
	DefaultFrom string            `json:"x-octopus-default"`
}

// property is a named member of an object's schema, in the order of the manifest.
type property struct {
	name     string
	required bool
	schema
}

// properties reads the schema of an action's parameters. A schema that is not an object with properties gives none.
func properties(raw json.RawMessage) []property {
	var whole schema
	if json.Unmarshal(raw, &whole) != nil || len(whole.Properties) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(whole.Properties))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	var out []property
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return out
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return out
		}
		p := property{name: fmt.Sprint(name)}
		// A property that cannot be read, such as "true", stays without a type: it is edited as JSON.
		if json.Unmarshal(value, &p.schema) != nil {
			p.schema = schema{}
		}
		p.required = slices.Contains(whole.Required, p.name)
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b property) int { return rank(a.required) - rank(b.required) })
	return out
}

func rank(first bool) int {
	if first {
		return 0
	}
	return 1
}

// kind is the input that fits a schema: one of the kinds of [views.Field].
func (p property) kind() string {
	if len(p.Enum) > 0 {
		return "select"
	}
	switch p.Type {
	case "boolean":
		return "checkbox"
	case "integer", "number":
		return "number"
	case "string":
		return p.textKind()
	case "array":
		if p.Items != nil && p.Items.Type == "string" {
			return "list"
		}
	}
	return "json"
}

func (p property) textKind() string {
	switch {
	case p.secret():
		return "password"
	case p.Multiline:
		return "textarea"
	case p.Format == "email":
		return "email"
	case p.Format == "uri", p.Format == "uri-reference", p.Format == "iri":
		return "url"
	}
	return "text"
}

// secret reports whether the value must not be shown.
func (s schema) secret() bool { return s.Format == "password" || s.WriteOnly }

// field makes the input of a property, filled with value, or with its default where there is none.
func (p property) field(value json.RawMessage, problem string) views.Field {
	f := views.Field{
		Name: paramPrefix + p.name, Label: p.Title, Kind: p.kind(), Help: p.Description,
		Required: p.required, Error: problem, Min: p.Minimum.String(), Max: p.Maximum.String(),
	}
	if f.Label == "" {
		f.Label = strings.ReplaceAll(p.name, "_", " ")
	}
	if value == nil && p.required {
		value = p.Default
	}
	f.Value = inputText(f.Kind, value)
	switch f.Kind {
	case "checkbox":
		if value == nil {
			f.Value = inputText(f.Kind, p.Default)
		}
		f.Checked, f.Value, f.Required = f.Value == "true", "", false
	case "select":
		f.Options, f.Default = p.options(f.Value), inputText("text", p.Default)
	case "number":
		f.Step = "any"
		if p.Type == "integer" {
			f.Step = "1"
		}
	}
	f.Placeholder = p.placeholder(f.Kind)
	return f
}

// placeholder shows what is used where nothing is typed, or else an example.
func (p property) placeholder(kind string) string {
	switch {
	case kind == "checkbox" || kind == "select" || kind == "password":
		return ""
	case len(p.Default) > 0 && !p.required:
		return inputText(kind, p.Default)
	case len(p.Examples) > 0:
		return inputText(kind, p.Examples[0])
	}
	return ""
}

func (p property) options(chosen string) (out []views.Option) {
	for _, e := range p.Enum {
		text := inputText("text", e)
		if !p.required && string(e) == string(p.Default) {
			continue // it is what choosing nothing means
		}
		out = append(out, views.Option{Value: text, Label: text, Selected: text == chosen})
	}
	return out
}

// inputText writes a JSON value as its input shows it.
func inputText(kind string, value json.RawMessage) string {
	if len(value) == 0 {
		return ""
	}
	if kind == "json" {
		return views.Pretty(value)
	}
	if kind == "list" {
		var list []json.RawMessage
		if json.Unmarshal(value, &list) == nil {
			lines := make([]string, len(list))
			for i, item := range list {
				lines[i] = inputText("text", item)
			}
			return strings.Join(lines, "\n")
		}
	}
	var s string
	if json.Unmarshal(value, &s) == nil {
		return s
	}
	if string(value) == "null" {
		return ""
	}
	return string(value)
}

// typeWord names a property's type for people.
func (p property) typeWord() string {
	if len(p.Enum) > 0 {
		words := make([]string, len(p.Enum))
		for i, e := range p.Enum {
			words[i] = inputText("text", e)
		}
		return strings.Join(words, " | ")
	}
	word, _ := p.Type.(string)
	if word == "array" && p.Items != nil {
		if of, ok := p.Items.Type.(string); ok {
			return "list of " + of + "s"
		}
	}
	if p.Format != "" && word == "string" {
		return p.Format
	}
	if word == "" {
		return "any"
	}
	return word
}

func isInteger(text string) bool {
	_, err := strconv.ParseInt(text, 10, 64)
	return err == nil
}
