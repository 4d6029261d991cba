package agent

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"testing"

	"octopus/internal/wire"
)

func signedBy(key ed25519.PrivateKey) wire.SignedModule {
	m := wire.SignedModule{Plugin: "web", Version: "1.0.0", Digest: "sha256:ab", Size: 1}
	public := key.Public().(ed25519.PublicKey)
	m.Signatures = []wire.Signature{{Key: wire.KeyID(public), Signature: ed25519.Sign(key, m.Statement())}}
	return m
}

func signingKey(t *testing.T) (ed25519.PrivateKey, wire.ServerKey) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return private, wire.ServerKey{Key: public}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	f, err := openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	agentKey, err := f.newKey()
	if err != nil {
		t.Fatal(err)
	}
	var keys []wire.ServerKey
	var away error
	asked := 0
	ask := func(context.Context) ([]wire.ServerKey, error) { asked++; return keys, away }
	id := identity{Agent: "agt_1", key: agentKey}
	tr := newTrust(id, ask, f, slog.New(slog.DiscardHandler))
	believe := func(m wire.SignedModule) error { return tr.believe(t.Context(), m) }

	if err := believe(wire.SignedModule{}); err != nil {
		t.Errorf("of a server that signs nothing: %v", err)
	}
	one, first := signingKey(t)
	keys = []wire.ServerKey{first}
	if err := believe(signedBy(one)); err != nil {
		t.Errorf("first use: %v", err)
	}
	before := asked
	if err := believe(signedBy(one)); err != nil || asked != before {
		t.Errorf("again: %v, asked %d times", err, asked-before)
	}
	if err := believe(wire.SignedModule{}); !errors.Is(err, wire.ErrUnsigned) {
		t.Errorf("signed no more: %v", err)
	}
	saved, _, err := f.identity()
	if err != nil || len(saved.ServerKeys) != 1 {
		t.Fatalf("on disk: %+v, %v", saved, err)
	}

	two, second := signingKey(t)
	keys = []wire.ServerKey{second} // another server's, or a lost key
	if err := believe(signedBy(two)); !errors.Is(err, errNewServerKey) {
		t.Errorf("a key that nothing vouches for: %v", err)
	}
	second.EndorsedBy, second.Endorsement = wire.KeyID(first.Key), ed25519.Sign(one, wire.KeyStatement(second.Key))
	keys = []wire.ServerKey{first, second}
	if err := believe(signedBy(two)); err != nil {
		t.Errorf("rotated: %v", err)
	}
	// The server cannot be reached: what is pinned will do, on a new start too.
	away = errors.New("away")
	tr = newTrust(tr.id, ask, f, slog.New(slog.DiscardHandler))
	if err := believe(signedBy(one)); err != nil {
		t.Errorf("server away: %v", err)
	}
	three, _ := signingKey(t)
	if err := believe(signedBy(three)); !errors.Is(err, wire.ErrUnknownKey) || !errors.Is(err, away) {
		t.Errorf("server away: %v", err)
	}

	f.close()
	if err := ForgetServerKeys(path); err != nil {
		t.Fatal(err)
	}
	f, err = openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if saved, _, err := f.identity(); err != nil || len(saved.ServerKeys) != 0 || saved.Agent != "agt_1" {
		t.Errorf("forgotten: %+v, %v", saved, err)
	}
}
