package web

import (
	"encoding/json"
	"maps"
	"slices"
)

// ordered lists the names of given values: those of the schema first and in its order, then the others by name.
func ordered(props []property, given map[string]json.RawMessage) (out []string) {
	known := make(map[string]bool)
	for _, p := range props {
		known[p.name] = true
		if _, ok := given[p.name]; ok {
			out = append(out, p.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !known[name] {
			out = append(out, name)
		}
	}
	return out
}
