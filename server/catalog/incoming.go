package catalog

import (
	"bufio"
	"context"
	"errors"
	"io"
	"time"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/wasmplugins"
	"octopus/wasmplugins/manifest"
)

// TooLarge is the error of a module over [Catalog.MaxUpload]. size is what it has, or was announced to have, in bytes;
// negative where nobody knows.
func (c *Catalog) TooLarge(size int64) error {
	if size > c.most {
		return octopus.Errorf(octopus.CodeTooLarge, "The module has %s; this server takes at most %s (plugins.max_module).", rounded(size), spec.Size(c.most))
	}
	return octopus.Errorf(octopus.CodeTooLarge, "The module is over the %s that this server takes (plugins.max_module).", spec.Size(c.most))
}

// rounded is a size in whole units, rounded up, so that a sentence has no eight digits.
func rounded(size int64) spec.Size {
	for _, unit := range []int64{1 << 30, 1 << 20, 1 << 10} {
		if size > 10*unit {
			return spec.Size((size + unit - 1) / unit * unit)
		}
	}
	return spec.Size(size)
}

// ReadModule reads a module that comes from elsewhere. What its first bytes show to be something else is refused there,
// before more of it is read: nothing is ever unpacked, so that a small archive cannot become a large one. What is over
// [Catalog.MaxUpload] is refused when it was announced, or at the limit. Such an error is CodeInvalid or CodeTooLarge;
// any other is r's own. size is what was announced, in bytes; negative where nothing was.
func (c *Catalog) ReadModule(r io.Reader, size int64) ([]byte, error) {
	if size > c.most {
		return nil, c.TooLarge(size)
	}
	in := bufio.NewReaderSize(r, wasmplugins.HeadSize)
	head, err := in.Peek(wasmplugins.HeadSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if err := wasmplugins.CheckHead(head); err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "%s", sentence(err))
	}
	module, err := io.ReadAll(io.LimitReader(in, c.most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(module)) > c.most {
		return nil, c.TooLarge(-1)
	}
	return module, nil
}

// taken says who has a version with other content, and since when.
func taken(v octopus.PluginVersion) error {
	return octopus.Errorf(octopus.CodeConflict, "%s %s was published with other content by %s on %s; a published version never changes, raise the version.",
		v.Plugin, v.Version, whoever(v.CreatedBy), moment(v.CreatedAt))
}

// inReview is taken for a version that is not published yet.
func inReview(s octopus.Submission) error {
	return octopus.Errorf(octopus.CodeConflict, "%s %s is in review already with other content, by %s since %s. Withdraw it, or raise the version.",
		s.Plugin, s.Version, whoever(s.CreatedBy), moment(s.CreatedAt))
}

func whoever(name string) string {
	if name == "" {
		return "somebody"
	}
	return name
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 at 15:04 UTC") }

// overtaken is how publishing v ends where another upload came first: the same bytes are published, other bytes are a
// conflict that names who published them. err is what the store said.
func (c *Catalog) overtaken(ctx context.Context, v octopus.PluginVersion, err error) (octopus.PluginVersion, error) {
	if octopus.CodeOf(err) != octopus.CodeConflict {
		return v, err
	}
	old, unknown := c.store.Version(ctx, v.Plugin, v.Version)
	switch {
	case unknown != nil:
		return v, err
	case old.Digest == v.Digest:
		return old, nil
	}
	return v, taken(old)
}

// alsoSubmitted is overtaken for submissions.
func (c *Catalog) alsoSubmitted(ctx context.Context, sub octopus.Submission, err error) (octopus.Submission, error) {
	if octopus.CodeOf(err) != octopus.CodeConflict {
		return octopus.Submission{}, err
	}
	open, unknown := c.store.OpenSubmission(ctx, sub.Plugin, sub.Version)
	switch {
	case unknown != nil:
		return octopus.Submission{}, err
	case open.Digest == sub.Digest:
		return open, nil
	}
	return octopus.Submission{}, inReview(open)
}

// PackModule puts a manifest, as plugin.yaml, into a module, in place of one that is there. Where one of them is wrong
// the error is CodeInvalid; of the manifest with its line.
func (c *Catalog) PackModule(module, source []byte) ([]byte, error) {
	packed, _, err := manifest.FromYAML(source)
	if err != nil {
		var faults []Fault
		for _, f := range manifest.Faults(source, err) {
			faults = append(faults, Fault{ManifestFile, f.Line, f.Path, f.Message})
		}
		return nil, refuseScript(faults)
	}
	if module, err = wasmplugins.Pack(module, packed); err != nil {
		return nil, octopus.Errorf(octopus.CodeInvalid, "%s", sentence(err))
	}
	return module, nil
}

// PackScript puts a script and its manifest, as plugin.yaml, into the engine. See [Script.Pack].
func (c *Catalog) PackScript(script, source []byte) ([]byte, error) {
	return Script{Source: string(script), Manifest: string(source)}.Pack()
}
