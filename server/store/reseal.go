package store

import (
	"context"

	"octopus/internal/octopus"
)

// Resealer seals values again. ok false removes the value: nobody can read it any more. They may be called more than
// once for a value, as a transaction may run again.
type Resealer struct {
	Secret     func(v octopus.Secret) (sealed octopus.Sealed, ok bool, err error)
	UserParams func(v octopus.UserParams) (sealed octopus.Sealed, ok bool, err error)
}

// Resealed counts what [Store.Reseal] did.
type Resealed struct{ Kept, Removed int }

// Reseal gives every sealed value another key, in one transaction, and makes it the key for what is written from now
// on. All values must come back sealed with it.
func (s *Store) Reseal(ctx context.Context, from, to string, r Resealer) (done Resealed, err error) {
	err = s.write(ctx, func(t *tx) error {
		done = Resealed{}
		if err := t.sealedWith(octopus.Sealed{KeyID: from}); err != nil {
			return err
		}
		if err := t.resealSecrets(r, &done); err != nil {
			return err
		}
		if err := t.resealParams(r, &done); err != nil {
			return err
		}
		_, err := t.exec("UPDATE meta SET value = ? WHERE key = ?", clean(to), metaSecretsKey)
		t.hintPlugin("") // some may be gone
		t.hint("secrets", "")
		return s.fail("key of the secrets", err)
	})
	return done, err
}

func (t *tx) resealSecrets(r Resealer, done *Resealed) error {
	all, err := list(context.Background(), t, func(row scanner) (v octopus.Secret, err error) {
		err = row.Scan(append(secretInto(&v), &v.Sealed.Data)...)
		return v, err
	}, "SELECT "+secretColumns+", sealed FROM secrets ORDER BY name")
	for i := 0; err == nil && i < len(all); i++ {
		v := all[i]
		sealed, ok, failed := r.Secret(v)
		switch {
		case failed != nil:
			return failed
		case ok:
			done.Kept++
			_, err = t.exec("UPDATE secrets SET key_id = ?, sealed = ? WHERE name = ?", sealed.KeyID, sealed.Data, v.Name)
		default:
			done.Removed++
			_, err = t.exec("DELETE FROM secrets WHERE name = ?", v.Name)
		}
	}
	return t.store.fail("secrets", err)
}

func (t *tx) resealParams(r Resealer, done *Resealed) error {
	all, err := list(context.Background(), t, scanUserParams, "SELECT user_id, category, updated_at, key_id, sealed FROM user_params ORDER BY user_id, category")
	for i := 0; err == nil && i < len(all); i++ {
		v := all[i]
		sealed, ok, failed := r.UserParams(v)
		switch {
		case failed != nil:
			return failed
		case ok:
			done.Kept++
			_, err = t.exec("UPDATE user_params SET key_id = ?, sealed = ? WHERE user_id = ? AND category = ?", sealed.KeyID, sealed.Data, v.UserID, v.Category)
		default:
			done.Removed++
			_, err = t.exec("DELETE FROM user_params WHERE user_id = ? AND category = ?", v.UserID, v.Category)
		}
	}
	return t.store.fail("user parameters", err)
}
