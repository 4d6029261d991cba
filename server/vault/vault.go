// Package vault keeps secrets and people's parameters sealed, with keys that are not in the database.
//
// Values are sealed with AES-256-GCM; what they are called is bound to them, so that no row can stand in for another.
// The keys are in a file beside the server. The database names the one that seals what is written now.
package vault

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// Config is what a Vault stands on.
type Config struct {
	Store *store.Store
	// KeyFile holds the keys. It is made when the first value is sealed.
	KeyFile string
	// Log gets who changed and used which secret, never a value. Defaults to silence.
	Log *slog.Logger
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
}

// Vault is safe for concurrent use and owns no goroutine.
type Vault struct {
	store *store.Store
	ring  *ring
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	touched map[use]time.Time // guarded by mu
}

// use is a plugin that uses a secret.
type use struct{ secret, plugin string }

// New makes a Vault. It reads and writes nothing.
func New(c Config) *Vault {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Vault{store: c.Store, ring: &ring{path: c.KeyFile}, log: c.Log, now: c.Now, touched: map[use]time.Time{}}
}

// Check says, in a sentence, why nothing that is stored can be read here; nil where it can, or nothing is stored.
func (v *Vault) Check(ctx context.Context) error {
	id, err := v.store.SecretsKey(ctx, "")
	if err != nil || id == "" {
		return err
	}
	_, err = v.ring.get(id)
	return err
}

// sealing returns the key for what is written now. The first value makes it.
func (v *Vault) sealing(ctx context.Context) (key, error) {
	id, err := v.store.SecretsKey(ctx, "")
	if err != nil {
		return key{}, err
	}
	if id == "" {
		first, err := v.ring.first()
		if err != nil {
			return key{}, err
		}
		if id, err = v.store.SecretsKey(ctx, first.id); err != nil {
			return key{}, err
		}
		if id == first.id {
			v.log.Info("a key for the secrets was made", "key", id, "file", v.ring.path)
		}
	}
	return v.ring.get(id)
}

// seal seals a value under a name that is bound to it.
func (v *Vault) seal(ctx context.Context, name string, value []byte) (octopus.Sealed, error) {
	k, err := v.sealing(ctx)
	if err != nil {
		return octopus.Sealed{}, err
	}
	return k.seal(name, value), nil
}

// open reads a value that was sealed under a name. what names it for people.
func (v *Vault) open(what, name string, sealed octopus.Sealed) ([]byte, error) {
	k, err := v.ring.get(sealed.KeyID)
	if err != nil {
		return nil, err
	}
	value, ok := k.open(name, sealed.Data)
	if !ok {
		return nil, octopus.Errorf(octopus.CodeInternal, "%s cannot be read: its row in the database was changed or damaged. Set it again.", what)
	}
	return value, nil
}
