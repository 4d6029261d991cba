package catalog_test

import (
	"encoding/json"
	"testing"
)

// What a run costs in the catalogue when everything is cached.
func BenchmarkRun(b *testing.B) {
	c, _ := open(b)
	v := upload(b, c, pack(b, "hello", "1.0.0", httpAnywhere, ""))
	if err := c.GrantAll(b.Context(), v.Digest, "ada"); err != nil {
		b.Fatal(err)
	}
	params := json.RawMessage(`{"url":"https://example.com"}`)
	b.ReportAllocs()
	for b.Loop() {
		v, err := c.Resolve(b.Context(), "hello", "")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Manifest(b.Context(), v.Digest); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Check(b.Context(), v, "run", params); err != nil {
			b.Fatal(err)
		}
		if missing := c.MissingGrants(b.Context(), v); len(missing) > 0 {
			b.Fatal(missing)
		}
		if _, err := c.EffectiveGrant(v); err != nil {
			b.Fatal(err)
		}
	}
}
