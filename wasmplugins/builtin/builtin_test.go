package builtin_test

import (
	"bytes"
	"compress/gzip"
	"os"
	"slices"
	"testing"
	"testing/fstest"

	"octopus/wasmplugins"
	"octopus/wasmplugins/builtin"
	"octopus/wasmplugins/builtin/bundle"
)

func TestAll(t *testing.T) {
	t.Parallel()
	all, err := builtin.All()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(all, func(p builtin.Plugin) bool { return p.Name == "noop" }) {
		t.Error("noop is not there")
	}
	for _, p := range all {
		module, err := p.Module()
		if err != nil {
			t.Fatal(err)
		}
		m, err := wasmplugins.ManifestOf(module)
		if err != nil || m.Name != p.Name || wasmplugins.Digest(module) != p.Digest {
			t.Errorf("%s: manifest of %q, digest %s, %v", p.Name, m.Name, p.Digest, err)
		}
	}
}

// The committed noop is what its sources say. If this fails run the build.
func TestNoopIsUpToDate(t *testing.T) {
	t.Parallel()
	built, err := bundle.Build(t.Context(), bundle.Config{Only: []string{"noop"}})
	if err != nil || len(built) != 1 || built[0].Fresh {
		t.Errorf("noop was stale: %+v, %v", built, err)
	}
	raw, err := os.ReadFile("noop/noop.wasm")
	if err != nil || len(raw) > 500 {
		t.Errorf("noop has %d bytes, %v", len(raw), err)
	}
}

func TestWithoutPlugins(t *testing.T) {
	t.Parallel()
	all, err := builtin.From(fstest.MapFS{"dist/README": {Data: []byte("x")}})
	if err != nil || len(all) != 0 {
		t.Errorf("got %v, %v", all, err)
	}
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{"no gzip": []byte("x"), "no digest": gzipped(t)} {
		if _, err := builtin.From(fstest.MapFS{"dist/x.wasm.gz": {Data: data}}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func gzipped(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
