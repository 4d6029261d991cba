// Package signing holds the key with which a server signs the plugins that it publishes. The private key lies in a file
// outside the database; the public keys, each endorsed by the one before it, lie in the database for all servers.
package signing

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"octopus/internal/octopus"
	"octopus/internal/wire"
	"octopus/server/store"
)

// metaKeys is where the public keys lie in the database, the oldest first.
const metaKeys = "signing.keys"

// remembered is how long the public keys are not read again.
const remembered = 5 * time.Second

// Config says where the keys are.
type Config struct {
	// File holds the private key. It is made, 0600, when the database knows no key yet.
	File  string
	Store *store.Store
	// Log gets what operators should know. Defaults to silence.
	Log *slog.Logger
}

// Keys signs for one server. It is safe for concurrent use.
type Keys struct {
	file  string
	store *store.Store
	log   *slog.Logger

	turn sync.Mutex // one change of the key at a time

	mu    sync.Mutex // guards what follows
	known []wire.ServerKey
	until time.Time
}

// Open reads the key, and makes it when neither the file nor the database has one. A file that is missing or of another
// key is no error here: the server runs, says so in its log, and [Keys.Sign] refuses.
func Open(ctx context.Context, c Config) (*Keys, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	k := &Keys{file: c.File, store: c.Store, log: c.Log}
	known, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	if len(known) == 0 {
		if err := k.first(ctx); err != nil {
			return nil, err
		}
	}
	if _, err := k.current(ctx); octopus.CodeOf(err) == octopus.CodeUnavailable {
		k.log.Error("plugins cannot be signed", "err", octopus.Sentence(err))
	} else if err != nil {
		return nil, err
	}
	return k, nil
}

// first makes the first key of a database, or enters the one that the file holds.
func (k *Keys) first(ctx context.Context) error {
	held, err := load(k.file)
	if err != nil {
		return err
	}
	if held == nil {
		if held, err = fresh(); err != nil {
			return err
		}
		if err := held.save(k.file); err != nil {
			return err
		}
	}
	err = k.change(ctx, func(known []wire.ServerKey) ([]wire.ServerKey, error) {
		if len(known) > 0 {
			return known, nil // another server was first; current says what is to be done
		}
		return []wire.ServerKey{{Key: held.public()}}, nil
	})
	if err == nil {
		k.log.Info("key that signs plugins", "key", wire.KeyID(held.public()), "file", k.file)
	}
	return err
}

// read returns the public keys from the database.
func (k *Keys) read(ctx context.Context) ([]wire.ServerKey, error) {
	text, err := k.store.Meta(ctx, metaKeys)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return decode(text)
}

func decode(text string) (known []wire.ServerKey, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &known); err != nil {
		return nil, fmt.Errorf("public keys in the database: %w", err)
	}
	return known, nil
}

// change replaces the public keys in one transaction.
func (k *Keys) change(ctx context.Context, how func([]wire.ServerKey) ([]wire.ServerKey, error)) error {
	err := k.store.ChangeMeta(ctx, metaKeys, func(text string) (string, error) {
		known, err := decode(text)
		if err == nil {
			known, err = how(known)
		}
		if err != nil {
			return "", err
		}
		raw, err := json.Marshal(known)
		return string(raw), err
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.until = time.Time{}
	return err
}

// Public returns the public keys, the oldest first, for agents. They may be a few seconds old.
func (k *Keys) Public(ctx context.Context) ([]wire.ServerKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Now().Before(k.until) {
		return k.known, nil
	}
	known, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	k.known, k.until = known, time.Now().Add(remembered)
	return known, nil
}

// newest is the key that signs now.
func newest(known []wire.ServerKey) ed25519.PublicKey {
	for i := len(known) - 1; i >= 0; i-- {
		if !known[i].Retired {
			return known[i].Key
		}
	}
	return nil
}

// current returns the private key where it is the one that signs now, else CodeUnavailable with what to do.
func (k *Keys) current(ctx context.Context) (*held, error) {
	known, err := k.read(ctx)
	if err != nil {
		return nil, err
	}
	want := newest(known)
	key, err := loadEither(k.file, want)
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, octopus.Errorf(octopus.CodeUnavailable,
			"This server cannot sign plugins: the key %s of this database is not in %s. Copy the file from the server that has it (plugins.signing_key names it), or, where it is lost, make another with octopus plugins keys rotate --lost.", wire.KeyID(want), k.file)
	}
	return key, nil
}

// Sign signs a statement with the key that is used now.
func (k *Keys) Sign(ctx context.Context, statement []byte) (octopus.Signature, error) {
	key, err := k.current(ctx)
	if err != nil {
		return octopus.Signature{}, err
	}
	return octopus.Signature{Key: wire.KeyID(key.public()), Signature: ed25519.Sign(key.private, statement)}, nil
}

// Adopted reports whether what was published before the first key was made has been signed; done notes that it was. It
// is noted beside the private key: whoever may write to the database cannot have it signed.
func (k *Keys) Adopted(ctx context.Context) (adopted bool, done func() error, err error) {
	key, err := k.current(ctx)
	if err != nil {
		return false, nil, err
	}
	return key.adopted, func() error { key.adopted = true; return key.save(k.file) }, nil
}

// Rotate makes a new key, endorsed by the one before it; what that signed stays valid until it is retired. With lost
// the key before it is not there to endorse: all earlier keys are retired, and agents take the new one only when
// somebody on their machine says so.
func (k *Keys) Rotate(ctx context.Context, lost bool) (wire.ServerKey, error) {
	k.turn.Lock()
	defer k.turn.Unlock()
	next, err := fresh()
	if err != nil {
		return wire.ServerKey{}, err
	}
	next.adopted = true
	entry := wire.ServerKey{Key: next.public()}
	old, err := k.current(ctx)
	switch {
	case err == nil && lost:
		return entry, octopus.Errorf(octopus.CodeConflict, "The key is there. Rotate without --lost, so that agents follow by themselves.")
	case err == nil:
		entry.EndorsedBy = wire.KeyID(old.public())
		entry.Endorsement = ed25519.Sign(old.private, wire.KeyStatement(next.public()))
	case octopus.CodeOf(err) != octopus.CodeUnavailable || !lost:
		return entry, err
	}
	if err := next.save(k.file + suffixNew); err != nil { // on the disk before the database says that it signs
		return entry, err
	}
	err = k.change(ctx, func(known []wire.ServerKey) ([]wire.ServerKey, error) {
		if old != nil && !old.public().Equal(newest(known)) {
			return nil, octopus.Errorf(octopus.CodeConflict, "Another server rotated the key at the same time.")
		}
		for i := range known {
			known[i].Retired = known[i].Retired || lost
		}
		return append(known, entry), nil
	})
	if err != nil {
		return entry, err
	}
	k.log.Warn("new key signs plugins", "key", wire.KeyID(next.public()), "endorsed_by", entry.EndorsedBy, "file", k.file)
	_, err = loadEither(k.file, next.public()) // puts it into place
	return entry, err
}

// Retire ends the overlap: agents take nothing any more that only this key signed.
func (k *Keys) Retire(ctx context.Context, id string) error {
	k.turn.Lock()
	defer k.turn.Unlock()
	err := k.change(ctx, func(known []wire.ServerKey) ([]wire.ServerKey, error) {
		for i := range known {
			if wire.KeyID(known[i].Key) != id {
				continue
			}
			if newest(known).Equal(ed25519.PublicKey(known[i].Key)) {
				return nil, octopus.Errorf(octopus.CodeConflict, "The key %s signs now. Rotate first.", id)
			}
			known[i].Retired = true
			return known, nil
		}
		return nil, octopus.Errorf(octopus.CodeNotFound, "There is no key %q.", id)
	})
	if err == nil {
		k.log.Warn("key retired", "key", id)
	}
	return err
}

func fresh() (*held, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	return &held{private: private}, nil
}
