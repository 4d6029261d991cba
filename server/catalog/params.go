package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"octopus/internal/octopus"
	"octopus/server/cache"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// MaxParams is the size in bytes that parameters may have: they travel to an
// agent in one offer, which is capped at 256 KiB.
const MaxParams = 192 << 10

// Check compares params with the schema of an action and returns them with its
// defaults filled in. An unknown action or parameters that do not fit are
// CodeInvalid, with a field error such as "/params/url" for each fault; values
// are never repeated.
func (c *Catalog) Check(ctx context.Context, v octopus.PluginVersion, action string, params json.RawMessage) (json.RawMessage, error) {
	schema, err := cache.Load(c.cache, cache.Plugins, "params:"+v.Digest+":"+action, func() (*Params, error) {
		m, err := c.Manifest(ctx, v.Digest)
		if err != nil {
			return nil, err
		}
		a, ok := m.Action(action)
		if !ok {
			var names []string
			for _, a := range m.Actions {
				names = append(names, a.Name)
			}
			return nil, octopus.InvalidField("/action", "%s has no action %q, it has: %s.", v.Plugin, action, strings.Join(names, ", "))
		}
		return CompileParams(a.Params)
	})
	if err != nil {
		return nil, err
	}
	return schema.Check(params)
}

// Params is a compiled schema of parameters. It is safe for concurrent use.
type Params struct {
	schema *jsonschema.Schema
	doc    any // the same as it was written: what a pattern means is said beside it
}

// CompileParams compiles a schema (JSON Schema 2020-12); an empty one takes
// any object. References to other documents are refused: nothing is fetched.
func CompileParams(raw json.RawMessage) (*Params, error) {
	if len(raw) == 0 {
		raw = json.RawMessage(`{"type":"object"}`)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	compiler.UseLoader(nothing{})
	const name = "octopus:params"
	if err := compiler.AddResource(name, doc); err != nil {
		return nil, err
	}
	schema, err := compiler.Compile(name)
	if err != nil {
		return nil, err
	}
	return &Params{schema: schema, doc: doc}, nil
}

// nothing is the loader that fetches nothing.
type nothing struct{}

func (nothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("it refers to another document (%s), which is not fetched", url)
}

// Check is Catalog.Check for one schema. No params at all are an empty object.
func (p *Params) Check(params json.RawMessage) (json.RawMessage, error) {
	if len(params) > MaxParams {
		return nil, octopus.Errorf(octopus.CodeTooLarge, "The parameters are over %d KiB.", MaxParams>>10)
	}
	if trimmed := bytes.TrimSpace(params); len(trimmed) == 0 || bytes.Equal(trimmed, []byte("null")) {
		params = json.RawMessage(`{}`)
	}
	value, err := decodeObject(params)
	if err != nil {
		return nil, err
	}
	if err := fill(p.schema, value); err != nil {
		return nil, err
	}
	if err := affordable(p.schema, value); err != nil {
		return nil, err
	}
	if err := p.schema.Validate(value); err != nil {
		invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
		if !ok {
			return nil, fmt.Errorf("parameters: %w", err)
		}
		return nil, explain(p.doc, invalid)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, fmt.Errorf("parameters: %w", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

func decodeObject(params json.RawMessage) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(params))
	dec.UseNumber() // 2^53+1 stays what it is
	var value any
	if err := dec.Decode(&value); err != nil {
		return nil, octopus.InvalidField("/params", "The parameters are not valid JSON.")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, octopus.InvalidField("/params", "The parameters are more than one JSON value.")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, octopus.InvalidField("/params", "The parameters must be a JSON object.")
	}
	return object, nil
}
