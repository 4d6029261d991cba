package catalog

import (
	"fmt"
	"math/big"
	"strings"

	"octopus/internal/octopus"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// maxFieldErrors is how many faults are reported at once.
const maxFieldErrors = 50

// explain turns a validation error into field errors that say what is wanted
// and never repeat the value, which may be a secret.
func explain(schema any, invalid *jsonschema.ValidationError) error {
	var fields []octopus.FieldError
	collect(schema, invalid, &fields)
	e := octopus.Errorf(octopus.CodeInvalid, "%s", fields[0].Message)
	if name := strings.TrimPrefix(fields[0].Field, "/params/"); name != fields[0].Field {
		e.Message = fmt.Sprintf("The parameter %s %s", strings.ReplaceAll(name, "/", "."), fields[0].Message)
	} else {
		e.Message = "The parameters " + fields[0].Message
	}
	if n := len(fields) - 1; n > 0 {
		e.Message += fmt.Sprintf(" (and %d more)", n)
	}
	for i := range fields {
		fields[i].Message = strings.ToUpper(fields[i].Message[:1]) + fields[i].Message[1:]
	}
	e.Fields = fields
	return e
}

// collect gathers the leaves of the tree of causes.
func collect(schema any, v *jsonschema.ValidationError, out *[]octopus.FieldError) {
	if len(*out) >= maxFieldErrors {
		return
	}
	at := pointer(v.InstanceLocation)
	switch k := v.ErrorKind.(type) {
	case *kind.Pattern:
		*out = append(*out, octopus.FieldError{Field: at, Message: form(schema, v.SchemaURL, k.Want)})
		return
	case *kind.Required:
		for _, name := range k.Missing {
			*out = append(*out, octopus.FieldError{Field: at + "/" + escape(name), Message: "is required."})
		}
		return
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			*out = append(*out, octopus.FieldError{Field: at + "/" + escape(name), Message: "is not a parameter of this action."})
		}
		return
	case *kind.AnyOf, *kind.OneOf:
		*out = append(*out, octopus.FieldError{Field: at, Message: "fits none of the allowed forms, or more than one."})
		return
	}
	if len(v.Causes) > 0 {
		for _, cause := range v.Causes {
			collect(schema, cause, out)
		}
		return
	}
	*out = append(*out, octopus.FieldError{Field: at, Message: wanted(v.ErrorKind)})
}

// wanted says what a value must be, as the end of a sentence.
func wanted(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "must be " + articles(k.Want) + "."
	case *kind.Enum:
		return "must be one of: " + list(k.Want) + "."
	case *kind.Const:
		return "must be " + list([]any{k.Want}) + "."
	case *kind.Format:
		return "must be " + format(k.Want) + "."
	case *kind.Minimum:
		return "must be at least " + number(k.Want) + "."
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want) + "."
	case *kind.Maximum:
		return "must be at most " + number(k.Want) + "."
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want) + "."
	case *kind.MultipleOf:
		return "must be a multiple of " + number(k.Want) + "."
	case *kind.MinLength:
		return atLeast(k.Want, "characters")
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters.", k.Want)
	case *kind.MinItems:
		return atLeast(k.Want, "items")
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items.", k.Want)
	case *kind.MinProperties:
		return atLeast(k.Want, "entries")
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d entries.", k.Want)
	case *kind.UniqueItems:
		return "must not hold the same item twice."
	case *kind.DependentRequired:
		return fmt.Sprintf("needs %s as well.", strings.Join(k.Missing, ", "))
	}
	return "does not fit the plugin's schema."
}

func atLeast(n int, nouns string) string {
	if n == 1 {
		return "must not be empty."
	}
	return fmt.Sprintf("must have at least %d %s.", n, nouns)
}

func articles(types []string) string {
	words := map[string]string{
		"string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
		"object": "an object", "array": "a list", "null": "null",
	}
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = words[t]
	}
	return strings.Join(out, " or ")
}

func format(name string) string {
	words := map[string]string{
		"uri": "a URL such as https://example.com", "uri-reference": "a URL or a path", "email": "an e-mail address",
		"hostname": "a host name", "ipv4": "an IPv4 address", "ipv6": "an IPv6 address", "date": "a date such as 2026-01-31",
		"time": "a time such as 08:00:00Z", "date-time": "a time such as 2026-01-31T08:00:00Z",
		"duration": "a duration such as PT5M", "uuid": "a UUID", "regex": "a regular expression", "json-pointer": "a JSON pointer",
	}
	if w, ok := words[name]; ok {
		return w
	}
	return "in the format " + name
}

// list writes the values that a schema allows; they are the schema's, not the
// caller's.
func list(values []any) string {
	out := make([]string, 0, len(values))
	for _, v := range values[:min(20, len(values))] {
		out = append(out, fmt.Sprint(v))
	}
	if len(values) > 20 {
		out = append(out, "…")
	}
	return strings.Join(out, ", ")
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64()
	return fmt.Sprintf("%g", f)
}

func pointer(location []string) string {
	var b strings.Builder
	b.WriteString("/params")
	for _, part := range location {
		b.WriteByte('/')
		b.WriteString(escape(part))
	}
	return b.String()
}

// escape is RFC 6901's.
func escape(part string) string {
	return strings.ReplaceAll(strings.ReplaceAll(part, "~", "~0"), "/", "~1")
}
