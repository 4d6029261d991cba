package wire_test

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"octopus/internal/wire"
)

func signingKey(n byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return ed25519.NewKeyFromSeed(seed)
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func TestSignedModule(t *testing.T) {
	t.Parallel()
	one, two := signingKey(1), signingKey(2)
	signed := wire.SignedModule{Plugin: "web", Version: "1.0.0", Digest: "sha256:ab", Size: 3}
	signed.Signatures = []wire.Signature{{Key: wire.KeyID(public(one)), Signature: ed25519.Sign(one, signed.Statement())}}
	for name, c := range map[string]struct {
		change func(*wire.SignedModule)
		keys   []ed25519.PublicKey
		want   error
	}{
		"good":          {func(*wire.SignedModule) {}, []ed25519.PublicKey{public(two), public(one)}, nil},
		"unknown key":   {func(*wire.SignedModule) {}, []ed25519.PublicKey{public(two)}, wire.ErrUnknownKey},
		"unsigned":      {func(m *wire.SignedModule) { m.Signatures = nil }, []ed25519.PublicKey{public(one)}, wire.ErrUnsigned},
		"other version": {func(m *wire.SignedModule) { m.Version = "2.0.0" }, []ed25519.PublicKey{public(one)}, wire.ErrSignature},
		"other name":    {func(m *wire.SignedModule) { m.Plugin = "wab" }, []ed25519.PublicKey{public(one)}, wire.ErrSignature},
		"other digest":  {func(m *wire.SignedModule) { m.Digest = "sha256:ac" }, []ed25519.PublicKey{public(one)}, wire.ErrSignature},
		"other size":    {func(m *wire.SignedModule) { m.Size = 4 }, []ed25519.PublicKey{public(one)}, wire.ErrSignature},
	} {
		m := signed
		c.change(&m)
		back, err := wire.ParseSigned(m.Header())
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Verify(c.keys); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := wire.ParseSigned("no base64"); err == nil {
		t.Error("nonsense was read")
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	one, two, three, evil := signingKey(1), signingKey(2), signingKey(3), signingKey(9)
	endorsed := func(by, next ed25519.PrivateKey) wire.ServerKey {
		return wire.ServerKey{Key: public(next), EndorsedBy: wire.KeyID(public(by)), Endorsement: ed25519.Sign(by, wire.KeyStatement(public(next)))}
	}
	retired := func(k wire.ServerKey) wire.ServerKey { k.Retired = true; return k }
	first := wire.ServerKey{Key: public(one)}
	forged := endorsed(evil, evil)
	forged.EndorsedBy = wire.KeyID(public(one))
	for name, c := range map[string]struct {
		pinned []ed25519.PrivateKey
		keys   []wire.ServerKey
		want   []ed25519.PrivateKey
		ok     bool
	}{
		"first use":        {nil, []wire.ServerKey{first, endorsed(one, two)}, []ed25519.PrivateKey{one, two}, true},
		"first use, later": {nil, []wire.ServerKey{retired(first), endorsed(one, two)}, []ed25519.PrivateKey{two}, true},
		"the same":         {[]ed25519.PrivateKey{one}, []wire.ServerKey{first}, []ed25519.PrivateKey{one}, true},
		"overlap":          {[]ed25519.PrivateKey{one}, []wire.ServerKey{first, endorsed(one, two)}, []ed25519.PrivateKey{one, two}, true},
		"away for long":    {[]ed25519.PrivateKey{one}, []wire.ServerKey{retired(first), retired(endorsed(one, two)), endorsed(two, three)}, []ed25519.PrivateKey{three}, true},
		"in another order": {[]ed25519.PrivateKey{one}, []wire.ServerKey{endorsed(two, three), endorsed(one, two), first}, []ed25519.PrivateKey{three, two, one}, true},
		"another server":   {[]ed25519.PrivateKey{one}, []wire.ServerKey{{Key: public(evil)}}, []ed25519.PrivateKey{one}, false},
		"forged":           {[]ed25519.PrivateKey{one}, []wire.ServerKey{first, forged}, []ed25519.PrivateKey{one}, true},
		"no key":           {[]ed25519.PrivateKey{one}, []wire.ServerKey{first, {Key: []byte("short")}}, []ed25519.PrivateKey{one}, true},
		"signs no more":    {[]ed25519.PrivateKey{one}, nil, []ed25519.PrivateKey{one}, true},
		"never signed":     {nil, nil, nil, true},
		"all were retired": {[]ed25519.PrivateKey{one}, []wire.ServerKey{retired(first)}, []ed25519.PrivateKey{one}, false},
	} {
		var pinned, want []ed25519.PublicKey
		for _, k := range c.pinned {
			pinned = append(pinned, public(k))
		}
		for _, k := range c.want {
			want = append(want, public(k))
		}
		got, ok := wire.Trust(pinned, c.keys)
		same := len(got) == len(want)
		for i := range want {
			same = same && got[i].Equal(want[i])
		}
		if !same || ok != c.ok {
			t.Errorf("%s: %d keys, %v", name, len(got), ok)
		}
	}
}
