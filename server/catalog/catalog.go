// Package catalog knows the plugins: which versions there are, what they may
// do, whether parameters fit them, and the modules that agents fetch. It runs
// no plugin; what it reads of a module it reads by scanning its bytes.
package catalog

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/cache"
	"octopus/server/store"
	"octopus/wasmplugins/builtin"
)

// System is who publishes and grants built-in plugins.
const System = "octopus"

// Config is what a Catalog stands on.
type Config struct {
	Store *store.Store
	// Cache keeps what was resolved, in the region "plugins".
	Cache *cache.Cache
	// Log gets what operators should know. Defaults to silence.
	Log *slog.Logger
	// MaxModule is the size in bytes above which an upload is refused. Defaults to 32 MiB.
	MaxModule int64
	// Sandbox is where submissions are tried out. Without a folder none are taken.
	Sandbox Sandbox
	// SelfReview lets administrators publish what they submitted or uploaded themselves. Defaults to false: somebody
	// else decides.
	SelfReview bool
	// Ring is where uploads and approved submissions are placed where nobody names another. Defaults to all.
	Ring octopus.Ring
	// Signer signs what is published. Defaults to none: nothing is signed, and agents check digests only.
	Signer Signer
	// Builtins are the plugins of this binary. Defaults to builtin.All.
	Builtins func() ([]builtin.Plugin, error)
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Catalog is safe for concurrent use and owns no goroutine.
type Catalog struct {
	store    *store.Store
	cache    *cache.Cache
	log      *slog.Logger
	most     int64 // bytes that an uploaded module may have
	sandbox  Sandbox
	trials   chan struct{} // one place: a submission at a time is tried out
	drafts   chan struct{} // one place: a draft at a time is looked at
	signer   Signer        // nil: nothing is signed
	ring     octopus.Ring  // of what is published
	alone    bool          // whether authors may review themselves
	builtins func() ([]builtin.Plugin, error)
	now      func() time.Time
}

// New makes a catalogue.
func New(c Config) *Catalog {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Builtins == nil {
		c.Builtins = builtin.All
	}
	if c.MaxModule <= 0 {
		c.MaxModule = maxModule
	}
	if c.Ring == "" {
		c.Ring = octopus.RingAll
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Catalog{
		store: c.Store, cache: c.Cache, log: c.Log, most: c.MaxModule, builtins: c.Builtins, now: c.Now,
		sandbox: c.Sandbox, trials: make(chan struct{}, 1), drafts: make(chan struct{}, 1), alone: c.SelfReview, ring: c.Ring, signer: c.Signer,
	}
}

// Manifest reads the manifest of a version by its digest.
func (c *Catalog) Manifest(ctx context.Context, digest string) (spec.Manifest, error) {
	return cache.Load(c.cache, cache.Plugins, "manifest:"+digest, func() (spec.Manifest, error) {
		v, err := c.store.VersionByDigest(ctx, digest)
		if err != nil {
			return spec.Manifest{}, err
		}
		return decodeManifest(v)
	})
}

// Module returns the bytes of a version, for agents. Callers must not change
// them. A revoked version is CodeDenied.
func (c *Catalog) Module(ctx context.Context, digest string) ([]byte, error) {
	v, err := c.store.VersionByDigest(ctx, digest)
	if err != nil {
		return nil, err
	}
	if v.Status == octopus.VersionRevoked {
		return nil, octopus.Errorf(octopus.CodeDenied, "%s %s was revoked and is not given out any more.", v.Plugin, v.Version)
	}
	return c.store.Module(ctx, digest)
}

// changed drops what was cached, on every server.
func (c *Catalog) changed() { c.cache.Invalidate(cache.Plugins, "") }

func decodeManifest(v octopus.PluginVersion) (m spec.Manifest, err error) {
	if err := json.Unmarshal(v.Manifest, &m); err != nil {
		return m, octopus.Errorf(octopus.CodeInternal, "The stored manifest of %s %s cannot be read; publish the version again.", v.Plugin, v.Version)
	}
	return m, nil
}
