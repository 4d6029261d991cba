package catalog

import "github.com/santhosh-tekuri/jsonschema/v6"

// affordable reports whether validating value takes at most maxVisits steps.
// The validator itself has no bound and cannot be stopped.
func affordable(s *jsonschema.Schema, value any) error {
	c := counter{left: maxVisits}
	c.visit(s, value)
	if c.left < 0 {
		return tooMuch()
	}
	return nil
}

// maxNesting is how deep the walk goes: a $ref to itself never ends.
const maxNesting = 2000

type counter struct{ left, depth int }

// visit walks as the validator does, without looking at any value.
func (c *counter) visit(s *jsonschema.Schema, value any) {
	if c.left--; s == nil || c.left < 0 {
		return
	}
	if c.depth++; c.depth > maxNesting {
		c.left = -1
	}
	defer func() { c.depth-- }()
	for _, same := range []*jsonschema.Schema{s.Ref, s.RecursiveRef, s.Not, s.If, s.Then, s.Else} {
		if same != nil {
			c.visit(same, value)
		}
	}
	if s.DynamicRef != nil {
		c.visit(s.DynamicRef.Ref, value)
	}
	for _, group := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
		for _, same := range group {
			c.visit(same, value)
		}
	}
	for _, same := range s.DependentSchemas {
		c.visit(same, value)
	}
	switch v := value.(type) {
	case map[string]any:
		c.object(s, v)
	case []any:
		c.array(s, v)
	}
}

func (c *counter) object(s *jsonschema.Schema, object map[string]any) {
	rest, _ := s.AdditionalProperties.(*jsonschema.Schema)
	for name, v := range object {
		if c.left < 0 {
			return
		}
		c.visit(s.Properties[name], v)
		for _, part := range s.PatternProperties {
			c.visit(part, v)
		}
		c.visit(rest, v)
		c.visit(s.UnevaluatedProperties, v)
	}
}

// array counts uniqueItems as what it is in the worst case: each with each.
func (c *counter) array(s *jsonschema.Schema, items []any) {
	if s.UniqueItems && len(items) > 20 {
		c.left -= len(items) * len(items) / 2
	}
	for i, v := range items {
		if c.left < 0 {
			return
		}
		c.visit(itemSchema(s, i), v)
		c.visit(s.Contains, v)
		c.visit(s.UnevaluatedItems, v)
	}
}
