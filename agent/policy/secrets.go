package policy

import (
	"slices"

	"go.yaml.in/yaml/v3"
)

// Secret says whether plugins may use the secret of that name here, as their manifests call it.
func (p *Policy) Secret(name string) bool {
	return p == nil || p.Capabilities == nil || named(p.Capabilities.Secrets, name)
}

// UserParams says whether plugins may know that category of a user's parameters here.
func (p *Policy) UserParams(category string) bool {
	return p == nil || p.Capabilities == nil || named(p.Capabilities.UserParams, category)
}

func named(list []string, name string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, name)
}

// names reads true, false, or a list of names.
func (r *reader) names(n *yaml.Node, key string) []string {
	if n.Kind != yaml.ScalarNode {
		return r.list(n)
	}
	if r.boolean(n, key) {
		return []string{"*"}
	}
	return nil
}
