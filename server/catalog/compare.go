package catalog

import (
	"context"
	"slices"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
)

// Comparison is what a manifest asks for beside the version that runs get now.
type Comparison struct {
	Known   bool   // the plugin has versions
	Before  string // the version that runs get now, "" where there is none
	Asks    []Ask
	Dropped []string // what Before asked for and this does not
}

// Ask is one thing that a manifest asks for, as a phrase for people: "http to any host".
type Ask struct {
	Phrase  string
	New     bool // Before did not ask for it
	Granted bool // Before was granted it
}

// More says how many things it asks for that Before was not granted.
func (c Comparison) More() (n int) {
	for _, a := range c.Asks {
		if !a.Granted {
			n++
		}
	}
	return n
}

// Compare says what a manifest asks for, and how that differs from the version of the plugin that most tasks without a
// version get now.
func (c *Catalog) Compare(ctx context.Context, m spec.Manifest) (Comparison, error) {
	var out Comparison
	var before, given spec.Capabilities
	p, err := c.plugin(ctx, m.Name)
	if err != nil && octopus.CodeOf(err) != octopus.CodeNotFound {
		return out, err
	}
	out.Known = len(p.Versions) > 0
	if v, err := c.pick(ctx, p, "", octopus.RingAll.Point()); err == nil {
		old, err := decodeManifest(v)
		if err != nil {
			return out, err
		}
		out.Before, before, given = v.Version, old.Capabilities, granted(v)
	}
	extra, ungranted := m.Capabilities.Missing(before), m.Capabilities.Missing(given)
	for _, phrase := range m.Capabilities.Missing(spec.Capabilities{}) {
		out.Asks = append(out.Asks, Ask{Phrase: phrase, New: slices.Contains(extra, phrase), Granted: !slices.Contains(ungranted, phrase)})
	}
	if out.Before != "" {
		out.Dropped = before.Missing(m.Capabilities)
	}
	return out, nil
}
