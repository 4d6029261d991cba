package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is how large a configuration file may be, in bytes.
const maxFile = 1 << 20

// document is a YAML file of sections with keys.
type document struct {
	name    string
	profile string
	values  []entry
}

// entry is one key of a file with what stands there.
type entry struct {
	key   string
	line  int
	words []string
	err   error // what stands there is of no use for any setting
}

// ReadFile reads a file. Its error is for people.
func readFile(path string) (document, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxFile {
		return document{}, fmt.Errorf("%s is over %d KiB: that is no configuration file.", path, maxFile>>10)
	}
	var raw []byte
	if err == nil {
		raw, err = os.ReadFile(path)
	}
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		err = pathError.Err // the sentence names the file
	}
	if err != nil {
		return document{}, fmt.Errorf("The configuration file cannot be read: %s: %w.", path, err)
	}
	return parse(path, raw)
}

// parse reads YAML. It keeps what it cannot use, with its line, for [Set.Resolve] to tell of.
func parse(name string, raw []byte) (document, error) {
	d := document{name: name}
	var root yaml.Node
	if err := yaml.Unmarshal(raw, &root); err != nil {
		return d, fmt.Errorf("%s is not YAML: %s.", name, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if root.Kind == 0 || isNull(root.Content[0]) {
		return d, nil // an empty file
	}
	top := resolved(root.Content[0])
	if top.Kind != yaml.MappingNode {
		return d, fmt.Errorf("%s is not a configuration file of sections with keys, such as server: {listen: \":8080\"}.", name)
	}
	var problems []error
	eachKey(top, func(section, value *yaml.Node) {
		switch {
		case section.Value == "profile" && value.Kind == yaml.ScalarNode:
			d.profile = value.Value
		case value.Kind == yaml.MappingNode:
			eachKey(value, func(key, v *yaml.Node) {
				words, err := wordsOf(v)
				d.values = append(d.values, entry{section.Value + "." + key.Value, key.Line, words, err})
			})
		case !isNull(value):
			problems = append(problems, fmt.Errorf("%s:%d: %s must be a section with keys below it.", name, section.Line, section.Value))
		}
	})
	return d, errors.Join(problems...)
}

func eachKey(mapping *yaml.Node, do func(key, value *yaml.Node)) {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		do(mapping.Content[i], resolved(mapping.Content[i+1]))
	}
}

// resolved follows an alias.
func resolved(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// wordsOf flattens a value: a list to its items, a mapping to k=v words. nil stands for a key without a value.
func wordsOf(n *yaml.Node) ([]string, error) {
	switch {
	case isNull(n):
		return nil, nil
	case n.Kind == yaml.ScalarNode:
		return []string{n.Value}, nil
	case n.Kind == yaml.SequenceNode:
		words := make([]string, 0, len(n.Content))
		for _, item := range n.Content {
			if item = resolved(item); item.Kind != yaml.ScalarNode {
				return nil, errors.New("must be a list of single values")
			}
			words = append(words, item.Value)
		}
		return words, nil
	}
	var words []string
	var err error
	eachKey(n, func(key, value *yaml.Node) {
		if value.Kind != yaml.ScalarNode {
			err = errors.New("must hold single values below its keys")
		}
		words = append(words, key.Value+"="+value.Value)
	})
	return words, err
}

func (d document) at(e entry) string { return d.name + ":" + strconv.Itoa(e.line) }
