package catalog

import (
	"context"
	"fmt"
	"slices"
	"unicode/utf8"

	"octopus/internal/octopus"
)

// Bounds of the review queue.
const (
	maxOpenOfOne = 20  // submissions of one author in review
	maxOpen      = 500 // of everybody
	maxNote      = 4 << 10
)

// Submit checks a module, tries it in the sandbox, and puts it into the review queue; where a check fails it is kept
// as failed, with what was found, and needs no reviewer. The same bytes again are answered with the submission that is
// in review. A module that cannot be read is CodeInvalid; a version that is published, or in review with other bytes,
// is CodeConflict.
func (c *Catalog) Submit(ctx context.Context, module []byte, note, by string) (octopus.Submission, error) {
	if len(note) > maxNote || !utf8.ValidString(note) {
		return octopus.Submission{}, octopus.InvalidField("/note", "A note is text of at most %d KiB.", maxNote>>10)
	}
	in, err := c.Inspect(ctx, module)
	if err != nil {
		return octopus.Submission{}, err
	}
	v := in.Version
	if in.Known {
		return octopus.Submission{}, octopus.Errorf(octopus.CodeConflict, "These very bytes are published already, as %s %s.", v.Plugin, v.Version)
	}
	open, err := c.store.OpenSubmission(ctx, v.Plugin, v.Version)
	switch {
	case err == nil && open.Digest == v.Digest:
		return open, nil
	case err == nil:
		return octopus.Submission{}, inReview(open)
	case octopus.CodeOf(err) != octopus.CodeNotFound:
		return octopus.Submission{}, err
	}
	if err := c.room(ctx, by); err != nil {
		return octopus.Submission{}, err
	}
	checks, err := c.try(ctx, module, in.Manifest)
	if err != nil {
		return octopus.Submission{}, err
	}
	sub := octopus.Submission{
		ID: octopus.NewID(octopus.PrefixSubmission, c.now()), Plugin: v.Plugin, Version: v.Version, Digest: v.Digest, Size: v.Size,
		Status: octopus.SubmissionInReview, Manifest: v.Manifest, Note: note, CreatedAt: c.now(), CreatedBy: by,
		Checks: append([]octopus.Check{
			{Name: "format", Status: octopus.CheckOK, Message: "A core module that imports only WASI and octopus_v1."},
			{Name: "manifest", Status: octopus.CheckOK},
		}, checks...),
	}
	if slices.ContainsFunc(checks, func(k octopus.Check) bool { return k.Status == octopus.CheckFailed }) {
		sub.Status = octopus.SubmissionFailed
	}
	if err := c.store.AddSubmission(ctx, sub, module); err != nil {
		return c.alsoSubmitted(ctx, sub, err)
	}
	c.log.Info("plugin submitted", "plugin", v.Plugin, "version", v.Version, "digest", v.Digest, "by", by, "status", string(sub.Status))
	return c.store.Submission(ctx, sub.ID)
}

// room refuses more submissions than anybody could review.
func (c *Catalog) room(ctx context.Context, by string) error {
	own, err := c.store.CountOpenSubmissions(ctx, by)
	if err != nil {
		return err
	}
	all, err := c.store.CountOpenSubmissions(ctx, "")
	if err != nil {
		return err
	}
	switch {
	case own >= maxOpenOfOne:
		return octopus.Errorf(octopus.CodeConflict, "%d submissions of %s are in review already. Withdraw some, or wait for a reviewer.", own, by)
	case all >= maxOpen:
		return octopus.Errorf(octopus.CodeConflict, "%d submissions are in review already. Ask an administrator to look at the queue.", all)
	}
	return nil
}

// Approve is ApproveInto the ring that this server publishes into.
func (c *Catalog) Approve(ctx context.Context, id, comment, by string) (octopus.PluginVersion, error) {
	return c.ApproveInto(ctx, id, comment, "", by)
}

// ApproveInto publishes a submission into a ring, "" for the one that this server publishes into. The reviewer is not its author, unless [Catalog.MayReviewAlone].
func (c *Catalog) ApproveInto(ctx context.Context, id, comment string, ring octopus.Ring, by string) (octopus.PluginVersion, error) {
	sub, err := c.reviewable(ctx, id, comment, by)
	if err != nil {
		return octopus.PluginVersion{}, err
	}
	module, err := c.store.Module(ctx, sub.Digest)
	if err != nil {
		return octopus.PluginVersion{}, fmt.Errorf("submitted module: %w", err)
	}
	in, err := c.Inspect(ctx, module) // the catalogue may have changed since it was submitted
	if err != nil {
		return octopus.PluginVersion{}, err
	}
	v := in.Version
	if in.Known || v.Digest != sub.Digest {
		return octopus.PluginVersion{}, octopus.Errorf(octopus.CodeConflict, "This module is published already, as %s %s.", v.Plugin, v.Version)
	}
	if v.Ring, err = c.firstRing(ctx, v, ring); err != nil {
		return octopus.PluginVersion{}, err
	}
	v.CreatedBy, v.CreatedAt = sub.CreatedBy, c.now()
	if err := c.sign(ctx, &v); err != nil {
		return octopus.PluginVersion{}, err
	}
	if err := c.store.Approve(ctx, id, by, comment, v, octopus.SourceUploaded, in.Manifest.Description, module); err != nil {
		return octopus.PluginVersion{}, err
	}
	c.changed()
	c.log.Info("plugin approved and published", "plugin", v.Plugin, "version", v.Version, "digest", v.Digest, "author", sub.CreatedBy, "by", by)
	return c.store.VersionByDigest(ctx, v.Digest)
}

// Reject ends a review without publishing. The comment tells the author why; it must not be empty.
func (c *Catalog) Reject(ctx context.Context, id, comment, by string) error {
	if comment == "" {
		return octopus.InvalidField("/comment", "Say in a comment what its author should change.")
	}
	sub, err := c.reviewable(ctx, id, comment, by)
	if err != nil {
		return err
	}
	if err := c.store.CloseSubmission(ctx, id, octopus.SubmissionRejected, by, comment); err != nil {
		return err
	}
	c.log.Info("plugin rejected", "plugin", sub.Plugin, "version", sub.Version, "digest", sub.Digest, "author", sub.CreatedBy, "by", by)
	return nil
}

// Withdraw takes one's own submission out of the review.
func (c *Catalog) Withdraw(ctx context.Context, id, by string) error {
	sub, err := c.store.Submission(ctx, id)
	if err != nil {
		return err
	}
	if sub.CreatedBy != by {
		return octopus.Errorf(octopus.CodeDenied, "Only %s can withdraw this; an administrator rejects it instead.", sub.CreatedBy)
	}
	return c.store.CloseSubmission(ctx, id, octopus.SubmissionWithdrawn, by, "")
}

func (c *Catalog) reviewable(ctx context.Context, id, comment, by string) (octopus.Submission, error) {
	if len(comment) > maxNote || !utf8.ValidString(comment) {
		return octopus.Submission{}, octopus.InvalidField("/comment", "A comment is text of at most %d KiB.", maxNote>>10)
	}
	sub, err := c.store.Submission(ctx, id)
	if err != nil {
		return sub, err
	}
	if sub.Status != octopus.SubmissionInReview {
		return sub, octopus.Errorf(octopus.CodeConflict, "%s %s is not in review any more: it is %s.", sub.Plugin, sub.Version, sub.Status)
	}
	if sub.CreatedBy != by {
		return sub, nil
	}
	alone, err := c.MayReviewAlone(ctx, by)
	if err != nil {
		return sub, err
	}
	if !alone {
		return sub, octopus.Errorf(octopus.CodeDenied, "You submitted this yourself: another administrator reviews it. (With plugins.self_review authors may do it.)")
	}
	return sub, nil
}

// MayReviewAlone says whether an administrator may publish what is their own: where the configuration says so, and
// where there is no other administrator whom they could ask.
func (c *Catalog) MayReviewAlone(ctx context.Context, by string) (bool, error) {
	if c.alone {
		return true, nil
	}
	users, err := c.store.Users(ctx)
	if err != nil {
		return false, fmt.Errorf("administrators: %w", err)
	}
	other := func(u octopus.User) bool { return u.Active && u.Role == octopus.RoleAdmin && u.Username != by }
	return !slices.ContainsFunc(users, other), nil
}
