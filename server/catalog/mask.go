package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"octopus/server/cache"
)

// Masked stands for a secret wherever parameters are shown. Sent back in an edited task it means "as before".
const Masked = "********"

// Mask returns params with every value that the action's schema calls "format: password" or "writeOnly"
// replaced by [Masked]. Where the schema cannot be read nothing is shown: the answer is nil. It costs one look
// into the cache for actions without secrets.
func (c *Catalog) Mask(ctx context.Context, digest, action string, params json.RawMessage) json.RawMessage {
	if len(params) == 0 {
		return params
	}
	s, err := c.secrets(ctx, digest, action)
	if err != nil {
		return nil
	}
	if s == nil {
		return params
	}
	return s.rewrite(params, func([]string, any) any { return Masked })
}

// Unmask puts the stored secrets back where shown still carries [Masked].
func (c *Catalog) Unmask(ctx context.Context, digest, action string, shown, stored json.RawMessage) (json.RawMessage, error) {
	s, err := c.secrets(ctx, digest, action)
	if err != nil || s == nil || !bytes.Contains(shown, []byte(Masked)) {
		return shown, err
	}
	var before any
	if decode(stored, &before) != nil {
		return shown, nil
	}
	return s.rewrite(shown, func(path []string, value any) any {
		if value != Masked {
			return value
		}
		return at(before, path)
	}), nil
}

// secrets is a schema that has secrets, parsed.
type secrets struct{ root any }

// secrets returns nil for an action without any.
func (c *Catalog) secrets(ctx context.Context, digest, action string) (*secrets, error) {
	return cache.Load(c.cache, cache.Plugins, "secrets:"+digest+":"+action, func() (*secrets, error) {
		m, err := c.Manifest(ctx, digest)
		if err != nil {
			return nil, err
		}
		a, ok := m.Action(action)
		if !ok || !bytes.Contains(a.Params, []byte("password")) && !bytes.Contains(a.Params, []byte("writeOnly")) {
			return nil, nil
		}
		s := new(secrets)
		return s, decode(a.Params, &s.root)
	})
}

// rewrite replaces the secrets of params by what swap returns for their path and value.
func (s *secrets) rewrite(params json.RawMessage, swap func(path []string, value any) any) json.RawMessage {
	var value any
	if decode(params, &value) != nil {
		return nil
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if enc.Encode(s.walk(s.root, value, nil, 0, swap)) != nil {
		return nil
	}
	return bytes.TrimSpace(out.Bytes())
}

// maxWalk bounds schemas that refer to themselves.
const maxWalk = 32

// walk follows every part of a schema that may describe value. It rather hides too much than too little: all
// branches of anyOf and the like count.
func (s *secrets) walk(schema, value any, path []string, depth int, swap func([]string, any) any) any {
	rules, ok := schema.(map[string]any)
	if !ok || depth > maxWalk || value == nil {
		return value
	}
	if rules["format"] == "password" || rules["writeOnly"] == true {
		return swap(path, value)
	}
	if ref, ok := rules["$ref"].(string); ok {
		value = s.walk(s.resolve(ref), value, path, depth+1, swap)
	}
	for _, branch := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := rules[branch].([]any)
		for _, sub := range list {
			value = s.walk(sub, value, path, depth+1, swap)
		}
	}
	for _, branch := range []string{"if", "then", "else"} {
		value = s.walk(rules[branch], value, path, depth+1, swap)
	}
	switch v := value.(type) {
	case map[string]any:
		s.walkObject(rules, v, path, depth, swap)
	case []any:
		prefix, _ := rules["prefixItems"].([]any)
		for i := range v {
			sub := rules["items"]
			if i < len(prefix) {
				sub = prefix[i]
			}
			v[i] = s.walk(sub, v[i], append(path[:len(path):len(path)], strconv.Itoa(i)), depth+1, swap)
		}
	}
	return value
}

func (s *secrets) walkObject(rules, object map[string]any, path []string, depth int, swap func([]string, any) any) {
	properties, _ := rules["properties"].(map[string]any)
	patterns, _ := rules["patternProperties"].(map[string]any)
	for key, value := range object {
		here := append(path[:len(path):len(path)], key)
		if sub, named := properties[key]; named {
			object[key] = s.walk(sub, value, here, depth+1, swap)
			continue
		}
		for _, sub := range patterns { // whether the pattern matches or not
			object[key] = s.walk(sub, object[key], here, depth+1, swap)
		}
		object[key] = s.walk(rules["additionalProperties"], object[key], here, depth+1, swap)
	}
}

// resolve finds "#/$defs/name" in the schema itself.
func (s *secrets) resolve(ref string) any {
	rest, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	if rest == "" {
		return s.root
	}
	var path []string
	for part := range strings.SplitSeq(strings.TrimPrefix(rest, "/"), "/") {
		path = append(path, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
	}
	return at(s.root, path)
}

// at returns what lies at a path of keys, nil where there is nothing.
func at(value any, path []string) any {
	for _, key := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[key]
		case []any:
			value = nil
			for i := range v {
				if strconv.Itoa(i) == key {
					value = v[i]
				}
			}
		default:
			return nil
		}
	}
	return value
}

// decode reads JSON without rounding its numbers.
func decode(data []byte, into *any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	return dec.Decode(into)
}
