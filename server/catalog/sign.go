package catalog

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"octopus/internal/octopus"
	"octopus/internal/wire"
)

// Signer holds the server's keys: *signing.Keys.
type Signer interface {
	// Sign signs with the key that is used now; CodeUnavailable where this server does not have it.
	Sign(ctx context.Context, statement []byte) (octopus.Signature, error)
	// Public returns all public keys, the oldest first.
	Public(ctx context.Context) ([]wire.ServerKey, error)
	// Adopted reports whether what was published before there was a key has been signed; done notes it.
	Adopted(ctx context.Context) (adopted bool, done func() error, err error)
	// Rotate makes a new key, and Retire ends the time in which what an older one signed is taken.
	Rotate(ctx context.Context, lost bool) (wire.ServerKey, error)
	Retire(ctx context.Context, id string) error
}

// statementOf is what a server signs of a version.
func statementOf(v octopus.PluginVersion) wire.SignedModule {
	return wire.SignedModule{Plugin: v.Plugin, Version: v.Version, Digest: v.Digest, Size: v.Size}
}

// sign adds the signature with which a version is published. Without a signer there is none.
func (c *Catalog) sign(ctx context.Context, v *octopus.PluginVersion) error {
	if c.signer == nil {
		return nil
	}
	s, err := c.signer.Sign(ctx, statementOf(*v).Statement())
	if err != nil {
		return err
	}
	v.Signatures = []octopus.Signature{s}
	return nil
}

// Signed is what the server says of a published module: agents get it with the bytes.
func (c *Catalog) Signed(ctx context.Context, digest string) (wire.SignedModule, error) {
	v, err := c.store.VersionByDigest(ctx, digest)
	if err != nil {
		return wire.SignedModule{}, err
	}
	return c.signed(ctx, v)
}

func (c *Catalog) signed(ctx context.Context, v octopus.PluginVersion) (wire.SignedModule, error) {
	m := statementOf(v)
	signatures, err := c.store.Signatures(ctx, v.Digest)
	for _, s := range signatures {
		m.Signatures = append(m.Signatures, wire.Signature{Key: s.Key, Signature: s.Signature})
	}
	return m, err
}

// Keys are the public keys that agents pin, the oldest first.
func (c *Catalog) Keys(ctx context.Context) ([]wire.ServerKey, error) {
	if c.signer == nil {
		return nil, nil
	}
	return c.signer.Public(ctx)
}

// RotateKey makes a new key and has it sign everything that an older one had signed. See [signing.Keys.Rotate].
func (c *Catalog) RotateKey(ctx context.Context, lost bool, by string) (wire.ServerKey, error) {
	if c.signer == nil {
		return wire.ServerKey{}, octopus.Errorf(octopus.CodeUnavailable, "This server signs nothing.")
	}
	key, err := c.signer.Rotate(ctx, lost)
	if err != nil {
		return key, err
	}
	c.log.Warn("signing key rotated", "key", wire.KeyID(key.Key), "lost", lost, "by", by)
	return key, c.resign(ctx, func(m wire.SignedModule, keys []ed25519.PublicKey) bool { return m.Verify(keys) == nil })
}

// RetireKey ends the time in which agents take what only an older key signed. Everything it signed has the newer
// signature first.
func (c *Catalog) RetireKey(ctx context.Context, id, by string) error {
	if c.signer == nil {
		return octopus.Errorf(octopus.CodeUnavailable, "This server signs nothing.")
	}
	err := c.resign(ctx, func(m wire.SignedModule, keys []ed25519.PublicKey) bool { return m.Verify(keys) == nil })
	if err == nil {
		err = c.signer.Retire(ctx, id)
	}
	if err == nil {
		c.log.Warn("signing key retired", "key", id, "by", by)
	}
	return err
}

// adopt signs what was published before the server had a key, once.
func (c *Catalog) adopt(ctx context.Context) error {
	if c.signer == nil {
		return nil
	}
	adopted, done, err := c.signer.Adopted(ctx)
	if octopus.CodeOf(err) == octopus.CodeUnavailable || adopted {
		return nil // without the key: the log says so
	}
	if err == nil {
		err = c.resign(ctx, func(m wire.SignedModule, _ []ed25519.PublicKey) bool { return len(m.Signatures) == 0 })
	}
	if err != nil {
		return fmt.Errorf("sign what is published: %w", err)
	}
	return done()
}

// resign has the newest key sign the versions that pass, given what is known of them and every key there ever was.
func (c *Catalog) resign(ctx context.Context, pass func(wire.SignedModule, []ed25519.PublicKey) bool) error {
	known, err := c.signer.Public(ctx)
	if err != nil {
		return err
	}
	var keys []ed25519.PublicKey
	for _, k := range known {
		keys = append(keys, k.Key)
	}
	plugins, err := c.store.Plugins(ctx)
	if err != nil {
		return err
	}
	for _, listed := range plugins {
		p, err := c.store.Plugin(ctx, listed.Name)
		if err != nil {
			return err
		}
		for _, v := range p.Versions {
			m, err := c.signed(ctx, v)
			if err != nil {
				return err
			}
			if !pass(m, keys) {
				continue
			}
			s, err := c.signer.Sign(ctx, m.Statement())
			if err == nil {
				err = c.store.AddSignatures(ctx, v.Digest, s)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}
