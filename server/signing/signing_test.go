package signing_test

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/signing"
	"octopus/server/store"
	"octopus/server/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

func open(t *testing.T, s *store.Store, file string) *signing.Keys {
	t.Helper()
	k, err := signing.Open(t.Context(), signing.Config{File: file, Store: s})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// signed checks a signature of k with the pins of an agent.
func signed(t *testing.T, k *signing.Keys, pins []ed25519.PublicKey) {
	t.Helper()
	m := wire.SignedModule{Plugin: "web", Version: "1.0.0", Digest: "sha256:ab", Size: 1}
	s, err := k.Sign(t.Context(), m.Statement())
	if err != nil {
		t.Fatal(err)
	}
	m.Signatures = []wire.Signature{{Key: s.Key, Signature: s.Signature}}
	if err := m.Verify(pins); err != nil {
		t.Errorf("an agent: %v", err)
	}
}

func pins(t *testing.T, k *signing.Keys, before []ed25519.PublicKey) (now []ed25519.PublicKey, ok bool) {
	t.Helper()
	keys, err := k.Public(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return wire.Trust(before, keys)
}

func TestKeyIsMadeOnceAndShared(t *testing.T) {
	t.Parallel()
	s, dir := storetest.Open(t), t.TempDir()
	file := filepath.Join(dir, "signing.key")
	first := open(t, s, file)
	agent, _ := pins(t, first, nil)
	signed(t, first, agent)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info, err)
	}
	signed(t, open(t, s, file), agent) // started again, or another server with the same file
	other := open(t, s, filepath.Join(dir, "other.key"))
	if _, err := other.Sign(t.Context(), nil); octopus.CodeOf(err) != octopus.CodeUnavailable || !strings.Contains(err.Error(), "Copy the file") {
		t.Errorf("a server without the key: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "other.key")); err == nil {
		t.Error("it made a key of its own")
	}
	adopted, done, err := first.Adopted(t.Context())
	if err != nil || adopted {
		t.Fatal(adopted, err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	if adopted, _, err := open(t, s, file).Adopted(t.Context()); err != nil || !adopted {
		t.Error(adopted, err)
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	s, file := storetest.Open(t), filepath.Join(t.TempDir(), "signing.key")
	k := open(t, s, file)
	old, _ := pins(t, k, nil)
	if err := k.Retire(t.Context(), wire.KeyID(old[0])); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Errorf("the only key was retired: %v", err)
	}
	if _, err := k.Rotate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	both, ok := pins(t, k, old)
	if !ok || len(both) != 2 {
		t.Fatalf("%d pins, %v", len(both), ok)
	}
	signed(t, k, both[1:])
	if err := k.Retire(t.Context(), wire.KeyID(old[0])); err != nil {
		t.Fatal(err)
	}
	late, ok := pins(t, k, old) // an agent that was away follows
	if !ok || len(late) != 1 {
		t.Fatalf("%d pins, %v", len(late), ok)
	}
	signed(t, open(t, s, file), late)

	if _, err := k.Rotate(t.Context(), true); octopus.CodeOf(err) != octopus.CodeConflict {
		t.Errorf("lost, although it is there: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Rotate(t.Context(), false); octopus.CodeOf(err) != octopus.CodeUnavailable {
		t.Errorf("without the old key: %v", err)
	}
	if _, err := k.Rotate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if _, ok := pins(t, k, late); ok {
		t.Error("an agent follows a key that nothing vouches for")
	}
	again, _ := pins(t, k, nil)
	signed(t, k, again)
}

// TestInterruptedRotation: the database knows the new key, the process died before its file was in place.
func TestInterruptedRotation(t *testing.T) {
	t.Parallel()
	s, file := storetest.Open(t), filepath.Join(t.TempDir(), "signing.key")
	k := open(t, s, file)
	old, _ := pins(t, k, nil)
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Rotate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file, file+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	k = open(t, s, file)
	now, _ := pins(t, k, old)
	signed(t, k, now)
	if err := os.WriteFile(file, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := signing.Open(t.Context(), signing.Config{File: file, Store: s}); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged file: %v", err)
	}
}
