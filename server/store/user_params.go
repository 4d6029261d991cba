package store

import (
	"context"

	"octopus/internal/octopus"
)

const putUserParams = `INSERT INTO user_params (user_id, category, key_id, sealed, updated_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (user_id, category) DO UPDATE SET key_id = excluded.key_id, sealed = excluded.sealed, updated_at = excluded.updated_at`

// UserParams returns a user's parameters, sealed, by category.
func (s *Store) UserParams(ctx context.Context, userID string) ([]octopus.UserParams, error) {
	all, err := list(ctx, s.reads, scanUserParams, "SELECT user_id, category, updated_at, key_id, sealed FROM user_params WHERE user_id = ? ORDER BY category", userID)
	return all, s.fail("user parameters", err)
}

func scanUserParams(row scanner) (v octopus.UserParams, err error) {
	err = row.Scan(&v.UserID, &v.Category, timeInto{&v.UpdatedAt}, &v.Sealed.KeyID, &v.Sealed.Data)
	return v, err
}

// SetUserParams stores what set holds and removes the categories that remove names, all or none.
func (s *Store) SetUserParams(ctx context.Context, userID string, set []octopus.UserParams, remove []string) error {
	return s.write(ctx, func(t *tx) error {
		for _, v := range set {
			if err := t.sealedWith(v.Sealed); err != nil {
				return err
			}
			_, err := t.exec(putUserParams, userID, v.Category, v.Sealed.KeyID, v.Sealed.Data, micros(t.now))
			if isForeign(err) {
				return octopus.Errorf(octopus.CodeNotFound, "There is no user %q.", userID)
			}
			if err != nil {
				return s.fail("user parameters", err)
			}
		}
		for _, category := range remove {
			if _, err := t.exec("DELETE FROM user_params WHERE user_id = ? AND category = ?", userID, category); err != nil {
				return s.fail("user parameters", err)
			}
		}
		return nil
	})
}
