package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"

	"octopus/sdk/spec"

	"go.yaml.in/yaml/v3"
)

// Fault is one thing that is wrong with a plugin.yaml, and where.
type Fault struct {
	Line    int    // from 1; 0 where none can be told
	Path    string // as in actions[0].name, "" where it is about the file
	Message string // a sentence
}

// Faults says what is wrong with a source that [FromYAML] refused with err, by line.
func Faults(source []byte, err error) []Fault {
	var doc yaml.Node
	readable := yaml.Unmarshal(source, &doc) == nil && len(doc.Content) == 1
	var invalid *Invalid
	if errors.As(err, &invalid) {
		out := make([]Fault, len(invalid.Problems))
		for i, p := range invalid.Problems {
			out[i] = Fault{Path: p.Path, Message: p.Message}
			if readable {
				out[i].Line = lineOf(doc.Content[0], p.Path)
			}
		}
		return out
	}
	f := Fault{Message: err.Error()}
	if m := saidLine.FindStringSubmatch(f.Message); m != nil {
		f.Line, _ = strconv.Atoi(m[1]) // digits
		f.Message = strings.Replace(f.Message, m[0], "", 1)
	} else if readable {
		f.Line = placeOf(doc.Content[0], f.Message)
	}
	f.Message = sentence(f.Message)
	return []Fault{f}
}

// Line is where in a plugin.yaml a path begins, such as tests[1].expect: that of the nearest part that is there. It is
// 0 where the source cannot be read.
func Line(source []byte, path string) int {
	var doc yaml.Node
	if yaml.Unmarshal(source, &doc) != nil || len(doc.Content) != 1 {
		return 0
	}
	return lineOf(doc.Content[0], path)
}

var (
	saidLine = regexp.MustCompile(`line (\d+): `)
	unknown  = regexp.MustCompile(`unknown field "([^"]*)"`)
	quoted   = regexp.MustCompile(`"([^"]*)"`)
	step     = regexp.MustCompile(`[^.\[\]]+|\[\d+\]`)
)

// placeOf finds the line of what the decoder of JSON complains about, which knows offsets at best. 0: it is not found.
func placeOf(root *yaml.Node, message string) int {
	if m := unknown.FindStringSubmatch(message); m != nil {
		return find(root, 0, func(n *yaml.Node, key bool) bool { return key && n.Value == m[1] })
	}
	var out bytes.Buffer
	c := &converter{out: &out}
	if c.node(root, 0) != nil {
		return 0
	}
	var wrong *json.UnmarshalTypeError
	if err := json.Unmarshal(out.Bytes(), new(spec.Manifest)); errors.As(err, &wrong) {
		line := 0
		for _, m := range c.marks {
			if int64(m.at) < wrong.Offset {
				line = m.line
			}
		}
		return line
	}
	if m := quoted.FindStringSubmatch(message); m != nil { // a size or a duration says its own words, and what it read
		return find(root, 0, func(n *yaml.Node, key bool) bool { return !key && n.Kind == yaml.ScalarNode && n.Value == m[1] })
	}
	return 0
}

// lineOf follows a path as far as it goes.
func lineOf(n *yaml.Node, path string) int {
	line := n.Line
	for _, s := range step.FindAllString(path, -1) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		key, next := child(n, s)
		if next == nil {
			break
		}
		n, line = next, key.Line
	}
	return line
}

// child finds a member by its name, or an item by [its number]; key is where it begins.
func child(n *yaml.Node, step string) (key, value *yaml.Node) {
	if at, ok := strings.CutPrefix(step, "["); ok {
		i, err := strconv.Atoi(strings.TrimSuffix(at, "]"))
		if err != nil || n.Kind != yaml.SequenceNode || i >= len(n.Content) {
			return nil, nil
		}
		return n.Content[i], n.Content[i]
	}
	if n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == step {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}

// find is the line of the first node that is wanted, at any depth that a manifest may have; 0: there is none.
func find(n *yaml.Node, depth int, want func(n *yaml.Node, key bool) bool) int {
	if depth > maxDepth {
		return 0
	}
	for i, c := range n.Content {
		key := n.Kind == yaml.MappingNode && i%2 == 0
		if want(c, key) {
			return c.Line
		}
		if line := find(c, depth+1, want); line > 0 {
			return line
		}
	}
	return 0
}

func sentence(text string) string {
	text = strings.TrimRight(text, ".")
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
