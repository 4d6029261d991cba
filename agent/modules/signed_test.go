package modules

import (
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octopus/internal/wire"
	"octopus/wasmplugins"
)

// shop sells one module, signed, and remembers what buyers complained of.
type shop struct {
	raw        []byte
	signed     wire.SignedModule
	key        ed25519.PublicKey
	fetched    int
	complaints []string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{raw: []byte("a module"), key: public}
	s.signed = wire.SignedModule{Plugin: "web", Version: "1.0.0", Digest: wasmplugins.Digest(s.raw), Size: int64(len(s.raw))}
	s.signed.Signatures = []wire.Signature{{Key: wire.KeyID(public), Signature: ed25519.Sign(private, s.signed.Statement())}}
	return s
}

func (s *shop) fetch(_ context.Context, _, refused string, _ int64, w io.Writer) (wire.SignedModule, error) {
	s.fetched++
	if refused != "" {
		s.complaints = append(s.complaints, refused)
	}
	_, err := w.Write(s.raw)
	return s.signed, err
}

func (s *shop) verify(_ context.Context, m wire.SignedModule) error {
	return m.Verify([]ed25519.PublicKey{s.key})
}

func (s *shop) cache(t *testing.T, dir string) *Cache {
	t.Helper()
	m, err := Open(openRoot(t, dir), 1<<20, s.fetch, s.verify)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSignatureIsCheckedOnEachLoad(t *testing.T) {
	t.Parallel()
	s, dir := newShop(t), t.TempDir()
	if _, err := s.cache(t, dir).Load(t.Context(), s.signed.Digest); err != nil {
		t.Fatal(err)
	}
	m := s.cache(t, dir) // another process
	if _, err := m.EnsureVersion(t.Context(), "web", "1.0.0", s.signed.Digest); err != nil || s.fetched != 1 {
		t.Fatalf("%v, fetched %d times", err, s.fetched)
	}
	name, err := fileName(s.signed.Digest)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct{ file, content, complaint string }{
		{name, "a modulE", "was changed"},
		{signedName(name), "{}", "no signature"},
		{signedName(name), strings.Replace(readFile(t, dir, signedName(name)), "1.0.0", "1.0.1", 1), "signature is wrong"},
		{signedName(name), strings.Replace(readFile(t, dir, signedName(name)), wire.KeyID(s.key), "0123456789abcdef", 1), "does not know"},
	} {
		if err := os.WriteFile(filepath.Join(dir, c.file), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		if raw, err := m.Load(t.Context(), s.signed.Digest); err != nil || string(raw) != "a module" {
			t.Errorf("%s: %q, %v", c.complaint, raw, err)
		}
		if s.fetched != i+2 || len(s.complaints) != i+1 || !strings.Contains(s.complaints[i], c.complaint) {
			t.Errorf("%s: fetched %d times, the server heard %q", c.complaint, s.fetched, s.complaints)
		}
	}
}

func readFile(t *testing.T, dir, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestUntrustedModuleIsNotKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*shop)
		why    string
	}{
		"unsigned":       {func(s *shop) { s.signed.Signatures = nil }, "no signature"},
		"unknown key":    {func(s *shop) { s.signed.Signatures[0].Key = "0123456789abcdef" }, "does not know"},
		"other bytes":    {func(s *shop) { s.signed.Digest = wasmplugins.Digest([]byte("b")) }, "another module"},
		"other name":     {func(s *shop) { s.signed.Plugin = "wab" }, "signature is wrong"},
		"damaged bytes":  {func(s *shop) { s.raw = []byte("a modulE") }, "digest differs"},
		"truncated file": {func(s *shop) { s.raw = s.raw[:4] }, "digest differs"},
	} {
		s, dir := newShop(t), t.TempDir()
		digest := s.signed.Digest
		c.change(s)
		m := s.cache(t, dir)
		if _, err := m.Load(t.Context(), digest); err == nil || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.wasm")); len(left) > 0 {
			t.Errorf("%s: %q was kept", name, left)
		}
	}
}

// TestDowngrade: the right bytes and signature of an old version, offered as a newer one.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	m := s.cache(t, t.TempDir())
	for _, as := range [][2]string{{"web", "2.0.0"}, {"wab", "1.0.0"}} {
		_, err := m.EnsureVersion(t.Context(), as[0], as[1], s.signed.Digest)
		var untrusted *Untrusted
		if !errors.As(err, &untrusted) || !strings.Contains(err.Error(), "signed as web 1.0.0, and was offered as "+as[0]+" "+as[1]) {
			t.Errorf("%v: %v", as, err)
		}
	}
}
