package store

import (
	"context"

	"octopus/internal/octopus"
)

// MaxDrafts is how many drafts of plugins one user may keep.
const MaxDrafts = 50

const draftColumns = "id, user_id, name, revision, created_at, updated_at"

func draftInto(d *octopus.Draft) []any {
	return []any{&d.ID, &d.UserID, &d.Name, &d.Revision, timeInto{&d.CreatedAt}, timeInto{&d.UpdatedAt}}
}

// CreateDraft keeps a new draft of a plugin, with revision 1. More than [MaxDrafts] of one user are CodeConflict.
func (s *Store) CreateDraft(ctx context.Context, d octopus.Draft) (octopus.Draft, error) {
	err := s.write(ctx, func(t *tx) error {
		n, err := one[int](t.row(context.Background(), "SELECT count(*) FROM plugin_drafts WHERE user_id = ?", d.UserID))
		if err != nil {
			return s.fail("drafts", err)
		}
		if n >= MaxDrafts {
			return octopus.Errorf(octopus.CodeConflict, "You have %d drafts, which is as many as are kept. Delete one first.", n)
		}
		d.Revision, d.CreatedAt, d.UpdatedAt = 1, t.now, t.now
		_, err = t.exec("INSERT INTO plugin_drafts ("+draftColumns+", script, manifest) VALUES ("+marks(8)+")",
			d.ID, d.UserID, clean(d.Name), d.Revision, micros(t.now), micros(t.now), clean(d.Script), clean(d.Manifest))
		if isForeign(err) {
			return octopus.Errorf(octopus.CodeNotFound, "There is no user %q.", d.UserID)
		}
		return s.fail("draft", err)
	})
	return d, err
}

// Draft returns one of a user's drafts; those of others are not found.
func (s *Store) Draft(ctx context.Context, userID, id string) (d octopus.Draft, err error) {
	err = s.reads.row(ctx, "SELECT "+draftColumns+", script, manifest FROM plugin_drafts WHERE id = ? AND user_id = ?", id, userID).
		Scan(append(draftInto(&d), &d.Script, &d.Manifest)...)
	if err != nil {
		return d, s.notFound(err, "draft of yours", id)
	}
	return d, nil
}

// Drafts lists a user's drafts, the newest first, without what is in them.
func (s *Store) Drafts(ctx context.Context, userID string) ([]octopus.Draft, error) {
	drafts, err := list(ctx, s.reads, func(row scanner) (d octopus.Draft, err error) {
		err = row.Scan(draftInto(&d)...)
		return d, err
	}, "SELECT "+draftColumns+" FROM plugin_drafts WHERE user_id = ? ORDER BY id DESC", userID)
	return drafts, s.fail("drafts", err)
}

// SaveDraft replaces name, script and manifest of a draft and returns its new revision. A revision that is not the
// stored one is CodeStale: somebody else, or another tab, saved it meanwhile.
func (s *Store) SaveDraft(ctx context.Context, d octopus.Draft) (revision int64, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err := t.exec(`UPDATE plugin_drafts SET name = ?, script = ?, manifest = ?, revision = revision + 1, updated_at = ?
WHERE id = ? AND user_id = ? AND revision = ?`, clean(d.Name), clean(d.Script), clean(d.Manifest), micros(t.now), d.ID, d.UserID, d.Revision)
		if err != nil {
			return s.fail("draft", err)
		}
		if n == 1 {
			revision = d.Revision + 1
			return nil
		}
		_, err = one[int64](t.row(context.Background(), "SELECT revision FROM plugin_drafts WHERE id = ? AND user_id = ?", d.ID, d.UserID))
		if err != nil {
			return s.notFound(err, "draft of yours", d.ID)
		}
		return octopus.Errorf(octopus.CodeStale, "This draft was saved elsewhere meanwhile, perhaps in another tab. Copy what you need, and load the page again.")
	})
	return revision, err
}

// DeleteDraft forgets one of a user's drafts.
func (s *Store) DeleteDraft(ctx context.Context, userID, id string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.exec("DELETE FROM plugin_drafts WHERE id = ? AND user_id = ?", id, userID)
		if err == nil && n == 0 {
			return octopus.Errorf(octopus.CodeNotFound, "There is no draft of yours %q.", id)
		}
		return s.fail("draft", err)
	})
}
