package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/auth"
	"octopus/server/catalog"
	"octopus/views"
)

// maxDrained is how much of a request is read and thrown away after a file was found to be too large: a browser that
// is cut off while it sends shows its own error instead of our sentence.
const maxDrained = 256 << 20

// staged is the prefix under which the store keeps a module between its upload and its publication; it forgets those
// that nobody published.
const staged = "upload:"

var digestForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (s *Web) uploadRoutes(r chi.Router) {
	r.Get("/upload", s.page(s.uploadPage))
	r.Post("/upload", s.upload)
	r.Get("/upload/{digest}", s.page(s.uploadPreview))
	r.Post("/upload/{digest}", s.page(s.uploadPublish))
}

func (s *Web) uploadPage(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.PluginSubmit); err != nil {
		return err
	}
	return s.showUpload(w, r, http.StatusOK, views.Upload{})
}

func (s *Web) showUpload(w http.ResponseWriter, r *http.Request, status int, m views.Upload) error {
	m.Page = s.frame(w, r, "plugins", "Upload a plugin")
	m.Crumbs, m.CLI = crumbs("Plugins", "/plugins", "Upload"), "octopus plugins upload FILE.wasm"
	m.Max = s.cfg.Catalog.MaxUpload()
	return s.render(w, r, status, views.UploadPage(m))
}

// upload takes a file and shows what is in it. It is no [Web.page]: its limit is another one.
func (s *Web) upload(w http.ResponseWriter, r *http.Request) {
	if err := s.takeUpload(w, r); err != nil {
		s.fail(w, r, err)
	}
}

func (s *Web) takeUpload(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.PluginSubmit); err != nil {
		return err
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxDrained)
	name, module, err := s.readUpload(r)
	var in catalog.Inspection
	if err == nil {
		in, err = s.cfg.Catalog.Inspect(r.Context(), module)
	}
	if err != nil {
		return s.refuseUpload(w, r, name, err)
	}
	if in.Known {
		return uploadedTo(w, r, versionPath(in.Version), "These very bytes are published already, as "+in.Version.Plugin+" "+in.Version.Version+". Nothing changed.")
	}
	digest := strings.TrimPrefix(in.Version.Digest, "sha256:")
	if err := s.cfg.Store.SaveBlob(r.Context(), staged+digest, module); err != nil {
		return err
	}
	return uploadedTo(w, r, "/upload/"+digest, "")
}

// inPlace says whether the page's own script sends the form: it shows what is wrong beside the file, which stays chosen.
func inPlace(r *http.Request) bool { return r.Header.Get("HX-Request") != "" }

// uploadedTo is redirect for a form that may be sent by a script, which would follow a redirect unseen.
func uploadedTo(w http.ResponseWriter, r *http.Request, to, text string) error {
	if !inPlace(r) {
		return redirect(w, r, to, "ok", text)
	}
	if text != "" {
		setToast(w, views.Toast{Kind: "ok", Text: text})
	}
	w.Header().Set("HX-Redirect", to)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// refuseUpload shows the form again, with what is wrong with the file.
func (s *Web) refuseUpload(w http.ResponseWriter, r *http.Request, name string, err error) error {
	var e *octopus.Error
	if !errors.As(err, &e) {
		return err
	}
	m := views.Upload{Name: name, Problem: e.Message}
	for _, f := range e.Fields {
		m.Problems = append(m.Problems, views.Pair{Label: strings.TrimPrefix(f.Field, "/manifest/"), Text: f.Message})
	}
	if inPlace(r) {
		return s.render(w, r, statusOf(err), views.UploadProblem(m))
	}
	return s.showUpload(w, r, statusOf(err), m)
}

// readUpload reads the file of the form. What is refused is still read to its end, into nothing.
func (s *Web) readUpload(r *http.Request) (name string, module []byte, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return "", nil, malformed(err)
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return "", nil, octopus.Errorf(octopus.CodeInvalid, "Choose a file first: the .wasm that your build made.")
		}
		if err != nil {
			return "", nil, s.cutOff(r, err)
		}
		if part.FormName() == "module" && part.FileName() != "" {
			module, err = s.cfg.Catalog.ReadModule(part, -1)
			if err != nil {
				_, _ = io.Copy(io.Discard, part) // so that the browser reads the answer
			}
			return part.FileName(), module, s.cutOff(r, err)
		}
	}
}

// cutOff turns what a broken connection leaves into a sentence.
func (s *Web) cutOff(r *http.Request, err error) error {
	var known *octopus.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return s.cfg.Catalog.TooLarge(r.ContentLength)
	}
	return octopus.Errorf(octopus.CodeMalformed, "The upload was cut off before its end, and nothing of it was kept. Send it again.")
}

// uploaded is a module that was uploaded and not yet published.
func (s *Web) uploaded(ctx context.Context, digest string) (module []byte, err error) {
	gone := octopus.Errorf(octopus.CodeNotFound, "This upload is not kept any more. Choose the file again.")
	if !digestForm.MatchString(digest) {
		return nil, gone
	}
	module, err = s.cfg.Store.Blob(ctx, staged+digest)
	if octopus.CodeOf(err) == octopus.CodeNotFound {
		return nil, gone
	}
	return module, err
}

func (s *Web) uploadPreview(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.PluginSubmit); err != nil {
		return err
	}
	module, err := s.uploaded(r.Context(), chi.URLParam(r, "digest"))
	if err != nil {
		return err
	}
	in, err := s.cfg.Catalog.Inspect(r.Context(), module)
	if err != nil { // somebody published that version meanwhile
		return s.refuseUpload(w, r, "", err)
	}
	if in.Known {
		return redirect(w, r, versionPath(in.Version), "", "")
	}
	m := views.UploadPreview{Page: s.frame(w, r, "plugins", "Publish "+in.Version.Plugin), Version: in.Version, Description: in.Manifest.Description}
	m.Crumbs = crumbs("Plugins", "/plugins", "Upload", "/upload", in.Version.Plugin+" "+in.Version.Version)
	m.CLI, m.Ring = "octopus plugins upload FILE.wasm", s.cfg.Catalog.DefaultRing()
	m.Action = "/upload/" + chi.URLParam(r, "digest")
	for _, a := range in.Manifest.Actions {
		m.Actions = append(m.Actions, actionView(a))
	}
	m.Limits, m.Unsandboxed = limitFacts(in.Manifest), in.Manifest.Capabilities.Unsandboxed()
	if m.Publish, err = s.mayPublish(r); err != nil {
		return err
	}
	if err := s.compareUpload(r.Context(), &m, in.Manifest); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, views.UploadPreviewPage(m))
}

// compareUpload says what the module asks for beside the version that runs get now, as the review of a submission does.
func (s *Web) compareUpload(ctx context.Context, m *views.UploadPreview, manifest spec.Manifest) error {
	c, err := s.cfg.Catalog.Compare(ctx, manifest)
	if err != nil {
		return err
	}
	m.Known, m.Before, m.Dropped, m.Asked = c.Known, c.Before, c.Dropped, compared(manifest, c)
	return nil
}

// compared is what a manifest asks for, each thing with what the version before has of it.
func compared(manifest spec.Manifest, c catalog.Comparison) (out []views.Asked) {
	reasons := reasonsOf(manifest.Capabilities)
	for _, a := range c.Asks {
		out = append(out, views.Asked{Title: a.Phrase, Reason: reasons(a.Phrase), New: a.New, Granted: a.Granted})
	}
	return out
}

// mayPublish says whether the viewer may publish without a review.
func (s *Web) mayPublish(r *http.Request) (bool, error) {
	if allow(r, auth.PluginManage) != nil {
		return false, nil
	}
	return s.cfg.Catalog.MayReviewAlone(r.Context(), subject(r).Username)
}

func limitFacts(manifest spec.Manifest) (out []views.Pair) {
	if t := time.Duration(manifest.Limits.Timeout); t > 0 {
		out = append(out, views.Pair{Label: "Timeout", Text: views.Span(t)})
	}
	if b := int64(manifest.Limits.Memory); b > 0 {
		out = append(out, views.Pair{Label: "Memory", Text: views.Bytes(b)})
	}
	if n := manifest.Limits.Fuel; n > 0 {
		out = append(out, views.Pair{Label: "Fuel", Text: views.Count(n)})
	}
	return out
}

func (s *Web) uploadPublish(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.PluginSubmit); err != nil {
		return err
	}
	ctx, by := r.Context(), subject(r).Username
	module, err := s.uploaded(ctx, chi.URLParam(r, "digest"))
	if err != nil {
		return err
	}
	if r.FormValue("submit") != "" {
		sub, err := s.cfg.Catalog.Submit(ctx, module, r.FormValue("note"), by)
		if err != nil {
			return s.refuseUpload(w, r, "", err)
		}
		return s.submitted(w, r, sub)
	}
	if err := allow(r, auth.PluginManage); err != nil {
		return err
	}
	give := r.FormValue("grant") == "all"
	if give {
		if err := allow(r, auth.GrantManage); err != nil {
			return err
		}
	}
	v, err := s.cfg.Catalog.UploadInto(ctx, module, octopus.Ring(r.FormValue("ring")), by)
	if err != nil {
		return s.refuseUpload(w, r, "", err)
	}
	said := "Published. Grant what it asks, and it can run."
	switch {
	case give:
		if err := s.cfg.Catalog.GrantAll(ctx, v.Digest, by); err != nil {
			return err
		}
		said = "Published and granted. It can run now."
	case len(s.cfg.Catalog.MissingGrants(ctx, v)) == 0:
		said = "Published. It can run now."
	}
	return redirect(w, r, versionPath(v), "ok", said)
}

func versionPath(v octopus.PluginVersion) string {
	return "/plugins/" + url.PathEscape(v.Plugin) + "?version=" + url.QueryEscape(v.Version)
}
