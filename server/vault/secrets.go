package vault

import (
	"context"
	"time"
	"unicode/utf8"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// MaxSecret is the size of a secret in bytes. A private key with its certificates fits.
const MaxSecret = 64 << 10

func secretName(name string) string { return "secret\x00" + name }

// Set stores a secret, or gives one that exists another value.
func (v *Vault) Set(ctx context.Context, name, value, by string) (created bool, err error) {
	switch {
	case !octopus.ValidPlainName(name):
		return false, octopus.InvalidField("/name", "A secret's name has 1 to 128 letters, digits, dots, dashes and underscores, and begins with none of dot and dash.")
	case value == "":
		return false, octopus.InvalidField("/value", "The value is missing.")
	case len(value) > MaxSecret:
		return false, octopus.InvalidField("/value", "A secret has at most %d KiB.", MaxSecret>>10)
	case !utf8.ValidString(value):
		return false, octopus.InvalidField("/value", "A secret must be text in UTF-8. Encode bytes as base64, and let the plugin decode them.")
	}
	sealed, err := v.seal(ctx, secretName(name), []byte(value))
	if err != nil {
		return false, err
	}
	if created, err = v.store.PutSecret(ctx, name, sealed, by); err == nil {
		v.log.Info("secret set", "by", by, "secret", name, "new", created)
	}
	return created, err
}

// Remove deletes a secret. Plugins that need it are refused from then on.
func (v *Vault) Remove(ctx context.Context, name, by string) error {
	err := v.store.DeleteSecret(ctx, name)
	if err == nil {
		v.log.Info("secret removed", "by", by, "secret", name)
	}
	return err
}

// touchEvery is how often it is written down that a plugin uses a secret.
const touchEvery = time.Minute

// Use reads a secret on behalf of an execution of a plugin, and notes that it was used.
func (v *Vault) Use(ctx context.Context, name, plugin, execution string) (string, error) {
	s, err := v.store.SecretNamed(ctx, name)
	if err != nil {
		return "", err
	}
	value, err := v.open("The secret "+name, secretName(name), s.Sealed)
	if err != nil {
		return "", err
	}
	if now := v.now(); v.due(use{name, plugin}, now) {
		v.log.Info("secret used", "secret", name, "plugin", plugin, "execution", execution)
		if err := v.store.TouchSecret(ctx, name, plugin, now); err != nil {
			v.log.Warn("the use of a secret was not noted", "secret", name, "err", err)
		}
	}
	return string(value), nil
}

// due reports whether a use is to be noted.
func (v *Vault) due(u use, now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now.Sub(v.touched[u]) < touchEvery {
		return false
	}
	if len(v.touched) > 10_000 {
		clear(v.touched) // they are noted once too often, which harms nobody
	}
	v.touched[u] = now
	return true
}

// Rotate makes a new key and seals everything with it. What cannot be read any more stops it; with forget that is
// removed instead, which is the way on where the key file is lost.
func (v *Vault) Rotate(ctx context.Context, by string, forget bool) (id string, done store.Resealed, err error) {
	from, err := v.store.SecretsKey(ctx, "")
	if err != nil {
		return "", done, err
	}
	if from == "" {
		return "", done, octopus.Errorf(octopus.CodeConflict, "There is no key yet: the first secret makes it.")
	}
	if _, err := v.ring.get(from); err != nil && !forget {
		return "", done, err
	}
	to, err := v.ring.next()
	if err != nil {
		return "", done, err
	}
	again := func(what, name string, sealed octopus.Sealed) (octopus.Sealed, bool, error) {
		value, err := v.open(what, name, sealed)
		if err != nil {
			if forget {
				err = nil
			}
			return octopus.Sealed{}, false, err
		}
		return to.seal(name, value), true, nil
	}
	done, err = v.store.Reseal(ctx, from, to.id, store.Resealer{
		Secret: func(s octopus.Secret) (octopus.Sealed, bool, error) {
			return again("The secret "+s.Name, secretName(s.Name), s.Sealed)
		},
		UserParams: func(p octopus.UserParams) (octopus.Sealed, bool, error) {
			return again("A user's parameters", paramsName(p.UserID, p.Category), p.Sealed)
		},
	})
	if err == nil {
		v.log.Info("secrets sealed with a new key", "by", by, "key", to.id, "kept", done.Kept, "removed", done.Removed)
	}
	return to.id, done, err
}
