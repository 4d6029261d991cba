package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"octopus/internal/octopus"
	"octopus/views"
)

// paramPrefix begins the name of every input that is a parameter.
const paramPrefix = "p."

// decodeParams reads parameters from a form by the schema that the form was made from. An empty input is left out,
// so that the schema's default counts. What cannot be read is reported by field; the catalogue checks the rest.
func decodeParams(props []property, form url.Values) (json.RawMessage, map[string]string) {
	problems := make(map[string]string)
	var out bytes.Buffer
	out.WriteByte('{')
	for _, p := range props {
		value, err := p.decode(form)
		if err != nil {
			problems["/params/"+pointer(p.name)] = err.Error()
			continue
		}
		if value == nil {
			continue
		}
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		name, _ := json.Marshal(p.name) // a string always marshals
		out.Write(name)
		out.WriteByte(':')
		out.Write(value)
	}
	out.WriteByte('}')
	return out.Bytes(), problems
}

// decode reads one property: nil where nothing was given.
func (p property) decode(form url.Values) (json.RawMessage, error) {
	name := paramPrefix + p.name
	text := form.Get(name)
	kind := p.kind()
	if kind == "checkbox" {
		if !form.Has(name) && !form.Has(name+".shown") {
			return nil, nil
		}
		return json.Marshal(text == "true")
	}
	if kind != "textarea" && kind != "password" && kind != "text" {
		text = strings.TrimSpace(text)
	}
	if text == "" {
		return nil, nil
	}
	switch kind {
	case "select":
		for _, e := range p.Enum {
			if inputText("text", e) == text {
				return e, nil
			}
		}
		return nil, errors.New("Choose one of the listed values.")
	case "number":
		return p.number(text)
	case "list":
		return json.Marshal(lines(text))
	case "json":
		return structured(text)
	case "textarea":
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	return json.Marshal(text)
}

func (p property) number(text string) (json.RawMessage, error) {
	if p.Type == "integer" && !isInteger(text) {
		return nil, errors.New("This must be a whole number.")
	}
	// Numbers of JSON only: ParseFloat alone would take 0x10, Inf and 1_000.
	if _, err := strconv.ParseFloat(text, 64); err != nil || !json.Valid([]byte(text)) {
		return nil, errors.New("This must be a number, such as 10 or 2.5.")
	}
	return json.RawMessage(text), nil
}

func structured(text string) (json.RawMessage, error) {
	var out bytes.Buffer
	if err := json.Compact(&out, []byte(text)); err != nil {
		return nil, errors.New("This is not valid JSON. Write it as in {\"name\": \"value\"}.")
	}
	return out.Bytes(), nil
}

// lines splits a list that was typed one a line; blank lines are nothing.
func lines(text string) []string {
	out := []string{}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			out = append(out, line)
		}
	}
	return out
}

// pointer escapes a name for a JSON pointer.
func pointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// fieldErrors are the problems of an error by the last part of their field, "username" for "/username".
func fieldErrors(err error) map[string]string {
	var e *octopus.Error
	if !errors.As(err, &e) || len(e.Fields) == 0 {
		return nil
	}
	out := make(map[string]string, len(e.Fields))
	for _, f := range e.Fields {
		if name := strings.TrimPrefix(f.Field, "/"); out[name] == "" {
			out[name] = f.Message
		}
	}
	return out
}

// fieldsOf makes the inputs of a form. values are what was decoded before, typed what a person typed: it is shown
// again as it was, also where it could not be read.
func (s *Web) fieldsOf(props []property, values json.RawMessage, typed url.Values, problems map[string]string) (out []views.Field) {
	var given map[string]json.RawMessage
	_ = json.Unmarshal(values, &given) // nothing given is nothing
	for _, p := range props {
		value := given[p.name]
		if value == nil && p.DefaultFrom == "public_url" && typed == nil {
			value, _ = json.Marshal(s.cfg.PublicURL)
		}
		f := p.field(value, problemOf(problems, p.name))
		name := paramPrefix + p.name
		if typed != nil && (typed.Has(name) || typed.Has(name+".shown")) {
			f = retyped(f, p, typed)
		}
		out = append(out, f)
	}
	return out
}

func retyped(f views.Field, p property, typed url.Values) views.Field {
	switch f.Kind {
	case "checkbox":
		f.Checked = typed.Get(f.Name) == "true"
	case "select":
		f.Options = p.options(typed.Get(f.Name))
	default:
		f.Value = typed.Get(f.Name)
	}
	return f
}

// problemOf finds what is wrong with a parameter, or with something inside it.
func problemOf(problems map[string]string, name string) string {
	at := "/params/" + pointer(name)
	if text := problems[at]; text != "" {
		return text
	}
	for field, text := range problems {
		if strings.HasPrefix(field, at+"/") {
			return text
		}
	}
	return ""
}

// shownParams lists parameters for people; secret ones are masked by their schema.
func shownParams(props []property, params json.RawMessage) (out []views.Param) {
	secret := make(map[string]bool)
	for _, p := range props {
		secret[p.name] = p.secret()
	}
	var given map[string]json.RawMessage
	if json.Unmarshal(params, &given) != nil {
		return nil
	}
	for _, name := range ordered(props, given) {
		text := inputText("json", given[name])
		var plain string
		if json.Unmarshal(given[name], &plain) == nil {
			text = plain
		}
		if secret[name] {
			text = "" // it must not even be in the model
		}
		out = append(out, views.Param{
			Name: name, Text: text, Masked: secret[name], Block: len(text) > 120 || strings.Contains(text, "\n"),
		})
	}
	return out
}
