package store

import (
	"context"
	"time"

	"octopus/internal/octopus"
)

// metaSecretsKey names the key that seals what is written now.
const metaSecretsKey = "secrets key"

// SecretsKey returns the id of the key with which values are sealed, "" where there is none yet. Where there is none
// and propose is not "", it becomes that key: of several servers at once one wins, and all are told which.
func (s *Store) SecretsKey(ctx context.Context, propose string) (id string, err error) {
	id, err = one[string](s.reads.row(ctx, readMeta, metaSecretsKey))
	if !isNoRow(err) {
		return id, s.fail("key of the secrets", err)
	}
	if propose == "" {
		return "", nil
	}
	err = s.write(ctx, func(t *tx) error {
		if _, err := t.exec("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT DO NOTHING", metaSecretsKey, clean(propose)); err != nil {
			return s.fail("key of the secrets", err)
		}
		id, err = t.secretsKey()
		return err
	})
	return id, err
}

// secretsKey reads the key's id and keeps it as it is until the transaction ends.
func (t *tx) secretsKey() (string, error) {
	id, err := one[string](t.row(context.Background(), readMeta+t.store.dialect.forUpdate, metaSecretsKey))
	return id, t.store.fail("key of the secrets", err)
}

// sealedWith refuses a value that was sealed with a key that is not the present one any more.
func (t *tx) sealedWith(v octopus.Sealed) error {
	id, err := t.secretsKey()
	if err == nil && id != v.KeyID {
		return octopus.Errorf(octopus.CodeConflict, "The key of the secrets was changed meanwhile. Try again.")
	}
	return err
}

const secretColumns = "name, created_at, created_by, updated_at, updated_by, last_used, last_used_by, key_id"

func secretInto(v *octopus.Secret) []any {
	return []any{&v.Name, timeInto{&v.CreatedAt}, &v.CreatedBy, timeInto{&v.UpdatedAt}, &v.UpdatedBy, timeInto{&v.LastUsed}, &v.LastUsedBy, &v.Sealed.KeyID}
}

// PutSecret stores a secret, or gives one that exists another value. by is whoever does it.
func (s *Store) PutSecret(ctx context.Context, name string, value octopus.Sealed, by string) (created bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		if err := t.sealedWith(value); err != nil {
			return err
		}
		n, err := t.exec("UPDATE secrets SET key_id = ?, sealed = ?, updated_at = ?, updated_by = ? WHERE name = ?",
			value.KeyID, value.Data, micros(t.now), clean(by), name)
		if created = err == nil && n == 0; created {
			_, err = t.exec("INSERT INTO secrets ("+secretColumns+", sealed) VALUES ("+marks(9)+")", name, micros(t.now), clean(by), micros(t.now),
				clean(by), int64(0), "", value.KeyID, value.Data)
			t.hintPlugin("") // what plugins lack depends on which secrets there are
		}
		t.hint("secrets", name)
		return s.fail("secret", err)
	})
	return created, err
}

// SecretNamed returns a secret with its sealed value.
func (s *Store) SecretNamed(ctx context.Context, name string) (v octopus.Secret, err error) {
	err = s.reads.row(ctx, "SELECT "+secretColumns+", sealed FROM secrets WHERE name = ?", name).Scan(append(secretInto(&v), &v.Sealed.Data)...)
	if err != nil {
		return v, s.notFound(err, "secret", name)
	}
	return v, nil
}

// Secrets lists the secrets by name, without their values.
func (s *Store) Secrets(ctx context.Context) ([]octopus.Secret, error) {
	secrets, err := list(ctx, s.reads, func(row scanner) (v octopus.Secret, err error) {
		err = row.Scan(secretInto(&v)...)
		return v, err
	}, "SELECT "+secretColumns+" FROM secrets ORDER BY name")
	return secrets, s.fail("secrets", err)
}

// DeleteSecret removes a secret.
func (s *Store) DeleteSecret(ctx context.Context, name string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM secrets WHERE name = ?", name)
		if err == nil && n == 0 {
			return octopus.Errorf(octopus.CodeNotFound, "There is no secret %q.", name)
		}
		t.hintPlugin("")
		t.hint("secrets", name)
		return s.fail("secret", err)
	})
}

// TouchSecret notes that a plugin used a secret. One that is gone is no error.
func (s *Store) TouchSecret(ctx context.Context, name, plugin string, at time.Time) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("UPDATE secrets SET last_used = ?, last_used_by = ? WHERE name = ? AND last_used < ?", micros(at), clean(plugin), name, micros(at))
		t.hint("secrets", name)
		return s.fail("secret", err)
	})
}
