package store

import (
	"context"
	"encoding/json"

	"octopus/internal/octopus"
)

const submissionColumns = "id, plugin, version, digest, size, status, manifest, note, checks, created_at, created_by, decided_at, decided_by, comment"

func scanSubmission(row scanner) (s octopus.Submission, err error) {
	err = row.Scan(&s.ID, &s.Plugin, &s.Version, &s.Digest, &s.Size, &s.Status, rawInto{&s.Manifest}, &s.Note, jsonInto{&s.Checks},
		timeInto{&s.CreatedAt}, &s.CreatedBy, timeInto{&s.DecidedAt}, &s.DecidedBy, &s.Comment)
	return s, err
}

// AddSubmission keeps a module that somebody wants published, with the outcome of its checks. Of the same version only
// one submission is in review: another is CodeConflict. The bytes of one that is not in review are not kept.
func (s *Store) AddSubmission(ctx context.Context, sub octopus.Submission, module []byte) error {
	checks, err := json.Marshal(sub.Checks)
	if err != nil {
		return s.fail("checks of a submission", err)
	}
	return s.write(ctx, func(t *tx) error {
		at := sub.CreatedAt
		if at.IsZero() {
			at = t.now
		}
		_, err := t.exec("INSERT INTO submissions ("+submissionColumns+") VALUES ("+marks(14)+")", sub.ID, sub.Plugin, sub.Version, sub.Digest,
			sub.Size, string(sub.Status), clean(string(sub.Manifest)), clean(sub.Note), clean(string(checks)), micros(at), clean(sub.CreatedBy),
			micros(sub.DecidedAt), clean(sub.DecidedBy), clean(sub.Comment))
		if isUnique(err) {
			return octopus.Errorf(octopus.CodeConflict, "%s %s is in review already. Wait for its reviewer, withdraw it, or raise the version.", sub.Plugin, sub.Version)
		}
		kind := octopus.PluginChecksFailed
		if err == nil && sub.Status == octopus.SubmissionInReview {
			kind = octopus.PluginSubmitted
			_, err = t.exec("INSERT INTO modules (digest, data) VALUES (?, ?) ON CONFLICT DO NOTHING", sub.Digest, notNil(module))
		}
		if err == nil {
			err = t.pluginEvent(octopus.PluginEvent{Plugin: sub.Plugin, Version: sub.Version, Digest: sub.Digest, Kind: kind, Actor: sub.CreatedBy, Message: sub.Note})
		}
		t.hint(topicSubmissions, sub.ID)
		return s.fail("submission", err)
	})
}

// topicSubmissions is what changes of the review queue are announced under.
const topicSubmissions = "submissions"

// Submission returns one submission.
func (s *Store) Submission(ctx context.Context, id string) (octopus.Submission, error) {
	sub, err := scanSubmission(s.reads.row(ctx, "SELECT "+submissionColumns+" FROM submissions WHERE id = ?", id))
	if err != nil {
		return sub, s.notFound(err, "submission", id)
	}
	return sub, nil
}

// SubmissionFilter narrows a list of submissions; its zero value is all of them.
type SubmissionFilter struct {
	Status    octopus.SubmissionStatus
	Plugin    string
	CreatedBy string
}

// Submissions lists submissions in the order in which they came in, with manifests and checks.
func (s *Store) Submissions(ctx context.Context, f SubmissionFilter, p Page) (items []octopus.Submission, next string, err error) {
	h := history[octopus.Submission]{table: "submissions", columns: submissionColumns, scan: scanSubmission,
		id: func(x *octopus.Submission) string { return x.ID }}
	for column, value := range map[string]string{"status": string(f.Status), "plugin": f.Plugin, "created_by": f.CreatedBy} {
		if value != "" {
			h.cheap.add(column+" = ?", value)
		}
	}
	items, next, err = h.page(ctx, s.reads, p)
	return items, next, s.fail("submissions", err)
}

// OpenSubmission returns the submission of a version that is in review.
func (s *Store) OpenSubmission(ctx context.Context, plugin, version string) (octopus.Submission, error) {
	sub, err := scanSubmission(s.reads.row(ctx, "SELECT "+submissionColumns+
		" FROM submissions WHERE plugin = ? AND version = ? AND status = 'in_review'", plugin, version))
	if err != nil {
		return sub, s.notFound(err, "submission of", plugin+" "+version)
	}
	return sub, nil
}

// LatestSubmission returns the newest submission of these bytes, in whatever state it is.
func (s *Store) LatestSubmission(ctx context.Context, plugin, digest string) (octopus.Submission, error) {
	sub, err := scanSubmission(s.reads.row(ctx, "SELECT "+submissionColumns+
		" FROM submissions WHERE plugin = ? AND digest = ? ORDER BY id DESC LIMIT 1", plugin, digest))
	if err != nil {
		return sub, s.notFound(err, "submission of", digest)
	}
	return sub, nil
}

// CountOpenSubmissions says how many submissions are in review, of one author or, with "", of all.
func (s *Store) CountOpenSubmissions(ctx context.Context, author string) (int, error) {
	n, err := one[int](s.reads.row(ctx, "SELECT count(*) FROM submissions WHERE status = 'in_review' AND (? = '' OR created_by = ?)", author, author))
	return n, s.fail("submissions", err)
}

// CloseSubmission rejects or withdraws a submission that is in review, and forgets its bytes where nothing else has
// them. One that was decided already is CodeConflict.
func (s *Store) CloseSubmission(ctx context.Context, id string, status octopus.SubmissionStatus, by, comment string) error {
	return s.write(ctx, func(t *tx) error {
		sub, err := t.decide(id, status, by, comment)
		if err != nil {
			return err
		}
		kind := octopus.PluginRejected
		if status == octopus.SubmissionWithdrawn {
			kind = octopus.PluginWithdrawn
		}
		if err := t.pluginEvent(octopus.PluginEvent{Plugin: sub.Plugin, Version: sub.Version, Digest: sub.Digest, Kind: kind, Actor: by, Message: comment}); err != nil {
			return s.fail("submission", err)
		}
		_, err = t.exec(`DELETE FROM modules WHERE digest = ? AND digest NOT IN (SELECT digest FROM plugin_versions)
AND digest NOT IN (SELECT digest FROM submissions WHERE status = 'in_review')`, sub.Digest)
		return s.fail("submitted module", err)
	})
}

// Approve publishes what a submission holds, as v, in the same transaction in which it leaves the review.
func (s *Store) Approve(ctx context.Context, id, by, comment string, v octopus.PluginVersion, source, description string, module []byte) error {
	return s.write(ctx, func(t *tx) error {
		sub, err := t.decide(id, octopus.SubmissionPublished, by, comment)
		if err != nil {
			return err
		}
		if sub.Digest != v.Digest {
			return octopus.Errorf(octopus.CodeInternal, "The submission %s holds another module.", id)
		}
		return t.publishVersion(v, source, description, by, module)
	})
}

// decide takes a submission out of the review. The condition is in the statement: of two reviewers only one decides.
func (t *tx) decide(id string, status octopus.SubmissionStatus, by, comment string) (octopus.Submission, error) {
	s := t.store
	n, err := t.exec("UPDATE submissions SET status = ?, decided_at = ?, decided_by = ?, comment = ? WHERE id = ? AND status = 'in_review'",
		string(status), micros(t.now), clean(by), clean(comment), id)
	if err != nil {
		return octopus.Submission{}, s.fail("submission", err)
	}
	sub, err := scanSubmission(t.row(context.Background(), "SELECT "+submissionColumns+" FROM submissions WHERE id = ?", id))
	if err != nil {
		return sub, s.notFound(err, "submission", id)
	}
	if n == 0 {
		return sub, octopus.Errorf(octopus.CodeConflict, "%s %s is not in review any more: it is %s.", sub.Plugin, sub.Version, sub.Status)
	}
	t.hint(topicSubmissions, id)
	return sub, nil
}
