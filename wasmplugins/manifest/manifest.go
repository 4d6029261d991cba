// Package manifest reads plugin.yaml, the form in which authors write a
// manifest, and turns it into the JSON that is packed into the module.
package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"octopus/sdk/spec"

	"go.yaml.in/yaml/v3"
)

// MaxSource is the size in bytes that a plugin.yaml may have.
const MaxSource = 1 << 20

// Invalid lists everything that is wrong with a manifest.
type Invalid struct{ Problems []spec.Problem }

// Error joins the problems, one a line.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = strings.TrimPrefix(p.Path+": "+p.Message, ": ")
	}
	return strings.Join(lines, "\n")
}

// FromYAML converts and validates a manifest. The JSON keeps the order in
// which the author wrote fields: forms show parameters in that order. The
// error is *Invalid where the manifest can be read but breaks the rules.
func FromYAML(source []byte) (packed []byte, m spec.Manifest, err error) {
	if len(source) > MaxSource {
		return nil, m, fmt.Errorf("the manifest is over %d KiB", MaxSource>>10)
	}
	if packed, err = JSON(source); err != nil {
		return nil, m, err
	}
	if m, err = spec.DecodeManifest(packed); err != nil {
		return nil, m, err
	}
	if problems := m.Validate(); len(problems) > 0 {
		return nil, m, &Invalid{Problems: problems}
	}
	return packed, m, nil
}

// JSON converts YAML to JSON and keeps the order of keys. JSON is YAML too, so
// a manifest that is written as JSON passes.
func JSON(source []byte) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(source, &doc); err != nil {
		return nil, fmt.Errorf("not valid YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) != 1 {
		return nil, fmt.Errorf("the file holds no YAML document")
	}
	var out bytes.Buffer
	if err := (&converter{out: &out}).node(doc.Content[0], 0); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// converter writes nodes. Aliases are followed, so depth and size are capped:
// nine lines of YAML can otherwise mean billions of nodes.
type converter struct {
	out   *bytes.Buffer
	nodes int
	marks []mark
}

// mark says on which line of the source what begins at a byte of the JSON was written.
type mark struct{ at, line int }

const (
	maxDepth = 100
	maxNodes = 100_000
)

func (c *converter) node(n *yaml.Node, depth int) error {
	if c.nodes++; c.nodes > maxNodes || depth > maxDepth || c.out.Len() > 4*MaxSource {
		return fmt.Errorf("line %d: nested too deeply, or too large once aliases are followed", n.Line)
	}
	c.marks = append(c.marks, mark{c.out.Len(), n.Line})
	switch n.Kind {
	case yaml.AliasNode:
		return c.node(n.Alias, depth+1)
	case yaml.MappingNode:
		return c.mapping(n, depth)
	case yaml.SequenceNode:
		return c.sequence(n, depth)
	}
	return c.scalar(n)
}

func (c *converter) mapping(n *yaml.Node, depth int) error {
	seen := map[string]bool{}
	c.out.WriteByte('{')
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" {
			return fmt.Errorf("line %d: only plain names can be keys", key.Line)
		}
		if seen[key.Value] {
			return fmt.Errorf("line %d: %s is there twice", key.Line, key.Value)
		}
		seen[key.Value] = true
		if i > 0 {
			c.out.WriteByte(',')
		}
		if err := c.value(key.Value); err != nil {
			return fmt.Errorf("line %d: %w", key.Line, err)
		}
		c.out.WriteByte(':')
		if err := c.node(n.Content[i+1], depth+1); err != nil {
			return err
		}
	}
	c.out.WriteByte('}')
	return nil
}

func (c *converter) sequence(n *yaml.Node, depth int) error {
	c.out.WriteByte('[')
	for i, item := range n.Content {
		if i > 0 {
			c.out.WriteByte(',')
		}
		if err := c.node(item, depth+1); err != nil {
			return err
		}
	}
	c.out.WriteByte(']')
	return nil
}

func (c *converter) scalar(n *yaml.Node) error {
	var v any = n.Value
	switch n.ShortTag() {
	case "!!null", "!!bool", "!!int", "!!float":
		if err := n.Decode(&v); err != nil {
			return fmt.Errorf("line %d: %w", n.Line, err)
		}
	}
	if err := c.value(v); err != nil { // .inf and .nan have no JSON
		return fmt.Errorf("line %d: %q cannot be written as JSON", n.Line, n.Value)
	}
	return nil
}

// value writes v without escaping <, > and &, which patterns are full of.
func (c *converter) value(v any) error {
	enc := json.NewEncoder(c.out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	if b := c.out.Bytes(); len(b) > 0 && b[len(b)-1] == '\n' {
		c.out.Truncate(len(b) - 1)
	}
	return err
}
