package catalog_test

import (
	"crypto/ed25519"
	"path/filepath"
	"testing"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/cache"
	"octopus/server/catalog"
	"octopus/server/signing"
	"octopus/server/store/storetest"
	"octopus/wasmplugins/builtin"
)

func TestWhatIsPublishedIsSigned(t *testing.T) {
	t.Parallel()
	ctx, s := t.Context(), storetest.Open(t)
	file := filepath.Join(t.TempDir(), "signing.key")
	start := func(file string) *catalog.Catalog {
		keys, err := signing.Open(ctx, signing.Config{File: file, Store: s})
		if err != nil {
			t.Fatal(err)
		}
		c := catalog.New(catalog.Config{Store: s, Cache: cache.New(nil, nil), Signer: keys, Builtins: func() ([]builtin.Plugin, error) { return nil, nil }})
		if err := c.SyncBuiltins(ctx, false); err != nil {
			t.Fatal(err)
		}
		return c
	}
	unsigning := catalog.New(catalog.Config{Store: s, Cache: cache.New(nil, nil)})
	old := upload(t, unsigning, pack(t, "old", "1.0.0", `{}`, "")) // by a server of before
	c := start(file)
	fresh := upload(t, c, pack(t, "new", "1.0.0", `{}`, ""))
	var pins []ed25519.PublicKey
	verify := func(c *catalog.Catalog, digests ...string) {
		t.Helper()
		keys, err := c.Keys(ctx)
		if err != nil {
			t.Fatal(err)
		}
		pins, _ = wire.Trust(pins, keys)
		for _, d := range digests {
			if m, err := c.Signed(ctx, d); err != nil || m.Verify(pins) != nil {
				t.Errorf("%+v, %v, %v", m, err, m.Verify(pins))
			}
		}
	}
	verify(c, old.Digest, fresh.Digest)

	// What somebody smuggles into the database later is not signed at a start.
	smuggled := upload(t, unsigning, pack(t, "smuggled", "1.0.0", `{}`, ""))
	c = start(file)
	if m, err := c.Signed(ctx, smuggled.Digest); err != nil || len(m.Signatures) != 0 {
		t.Errorf("smuggled: %+v, %v", m, err)
	}

	first := wire.KeyID(pins[0])
	if _, err := c.RotateKey(ctx, false, "ada"); err != nil {
		t.Fatal(err)
	}
	if err := c.RetireKey(ctx, first, "ada"); err != nil {
		t.Fatal(err)
	}
	c = start(file)
	verify(c, old.Digest, fresh.Digest)
	if len(pins) != 1 || wire.KeyID(pins[0]) == first {
		t.Errorf("%d pins", len(pins))
	}
	if m, err := c.Signed(ctx, smuggled.Digest); err != nil || len(m.Signatures) != 0 {
		t.Errorf("smuggled, after a rotation: %+v, %v", m, err)
	}

	without := start(filepath.Join(t.TempDir(), "another.key")) // a second server that nobody gave the key
	_, err := without.Upload(ctx, pack(t, "more", "1.0.0", `{}`, ""), "ada")
	wantError(t, err, octopus.CodeUnavailable, "Copy the file from the server that has it")
}
