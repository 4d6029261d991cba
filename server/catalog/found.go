package catalog

import (
	"context"

	"octopus/internal/octopus"
)

// FolderAuthor is who submits what lies in the plugin folder: the owner of the server's machine.
const FolderAuthor = "plugins.dir"

// Found takes a module that lies in the server's plugin folder. It goes the way of every submission, once for each
// content: what was rejected or withdrawn stays so. With publish it is published as soon as its checks pass.
func (c *Catalog) Found(ctx context.Context, module []byte, publish bool) (octopus.SubmissionStatus, error) {
	in, err := c.Inspect(ctx, module)
	if err != nil {
		return octopus.SubmissionFailed, err
	}
	if in.Known {
		return octopus.SubmissionPublished, nil
	}
	sub, err := c.store.LatestSubmission(ctx, in.Version.Plugin, in.Version.Digest)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		sub, err = c.Submit(ctx, module, "", FolderAuthor)
	}
	if err != nil {
		return octopus.SubmissionFailed, err
	}
	if publish && sub.Status == octopus.SubmissionInReview && sub.CreatedBy == FolderAuthor {
		if _, err := c.Approve(ctx, sub.ID, "plugins.dir_publish is on.", System); err != nil {
			return sub.Status, err
		}
		return octopus.SubmissionPublished, nil
	}
	if sub.Status == octopus.SubmissionFailed {
		return sub.Status, failedCheck(sub.Checks)
	}
	return sub.Status, nil
}

// failedCheck is the first check that failed, as a sentence.
func failedCheck(checks []octopus.Check) error {
	for _, k := range checks {
		if k.Status == octopus.CheckFailed {
			return octopus.Errorf(octopus.CodeInvalid, "The check %q failed: %s", k.Name, k.Message)
		}
	}
	return octopus.Errorf(octopus.CodeInvalid, "A check failed.")
}
