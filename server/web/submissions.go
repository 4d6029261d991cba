package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/sdk/spec"
	"octopus/server/auth"
	"octopus/server/store"
	"octopus/views"
)

func (s *Web) submissionRoutes(r chi.Router) {
	r.Get("/submissions", s.page(s.submissions))
	r.Get("/submissions/{id}", s.page(s.submissionPage))
	r.Post("/submissions/{id}/{verb}", s.page(s.submissionVerb))
}

// submissions is the review queue for administrators, and one's own submissions for others.
func (s *Web) submissions(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.PluginSubmit); err != nil {
		return err
	}
	m := views.Submissions{Reviewer: allow(r, auth.PluginManage) == nil}
	title, f := "My submissions", store.SubmissionFilter{CreatedBy: subject(r).Username}
	if m.Reviewer {
		title, f = "Submissions", store.SubmissionFilter{}
	}
	m.Page = s.frame(w, r, "plugins", title)
	m.Crumbs, m.CLI = crumbs("Plugins", "/plugins", title), "octopus plugins submissions"
	q := r.URL.Query()
	if status := octopus.SubmissionStatus(q.Get("status")); slices.Contains(octopus.SubmissionStatuses, status) {
		f.Status = status
		m.CLI += " --status " + string(status)
	}
	m.Links = []views.Link{{Label: "All", Href: "/submissions", Current: f.Status == ""}}
	for _, l := range []struct {
		status octopus.SubmissionStatus
		label  string
	}{
		{octopus.SubmissionInReview, "In review"}, {octopus.SubmissionPublished, "Published"}, {octopus.SubmissionRejected, "Rejected"},
		{octopus.SubmissionFailed, "Failed"},
	} {
		m.Links = append(m.Links, views.Link{Label: l.label, Href: "/submissions?status=" + string(l.status), Current: f.Status == l.status})
	}
	var next string
	var err error
	if f.Status == "" && q.Get("cursor") == "" {
		if m.Drafts, err = s.cfg.Store.Drafts(r.Context(), subject(r).UserID); err != nil {
			return err
		}
	}
	if m.Rows, next, err = s.cfg.Store.Submissions(r.Context(), f, store.Page{Cursor: q.Get("cursor"), Descending: true}); err != nil {
		return err
	}
	if next != "" {
		m.Pages.Next = changed("/submissions", q, "cursor", next)
	}
	if q.Get("cursor") != "" {
		m.Pages.First = changed("/submissions", q, "cursor", "")
	}
	return s.render(w, r, http.StatusOK, views.SubmissionsPage(m))
}

// submission finds a submission that the viewer may see.
func (s *Web) submission(r *http.Request) (octopus.Submission, error) {
	if err := allow(r, auth.PluginSubmit); err != nil {
		return octopus.Submission{}, err
	}
	sub, err := s.cfg.Store.Submission(r.Context(), chi.URLParam(r, "id"))
	if err != nil {
		return sub, err
	}
	if sub.CreatedBy != subject(r).Username && allow(r, auth.PluginManage) != nil {
		return sub, octopus.Errorf(octopus.CodeNotFound, "There is no such submission of yours.")
	}
	return sub, nil
}

func (s *Web) submissionPage(w http.ResponseWriter, r *http.Request) error {
	sub, err := s.submission(r)
	if err != nil {
		return err
	}
	return s.showSubmission(w, r, http.StatusOK, sub, "", "")
}

// showSubmission shows a submission; where a decision was refused, with the comment that was written, and why.
func (s *Web) showSubmission(w http.ResponseWriter, r *http.Request, status int, sub octopus.Submission, comment, problem string) error {
	var manifest spec.Manifest
	if err := json.Unmarshal(sub.Manifest, &manifest); err != nil {
		return fmt.Errorf("manifest of submission %s: %w", sub.ID, err)
	}
	m := views.Submission{
		Page: s.frame(w, r, "plugins", sub.Plugin+" "+sub.Version), Sub: sub, Description: manifest.Description, Limits: limitFacts(manifest),
		Own: sub.CreatedBy == subject(r).Username, Unsandboxed: manifest.Capabilities.Unsandboxed(), Comment: comment, Problem: problem,
	}
	m.Crumbs = crumbs("Plugins", "/plugins", "Submissions", "/submissions", sub.Plugin+" "+sub.Version)
	m.CLI, m.Ring = "octopus plugins review "+sub.ID, s.cfg.Catalog.DefaultRing()
	for _, a := range manifest.Actions {
		m.Actions = append(m.Actions, actionView(a))
	}
	c, err := s.cfg.Catalog.Compare(r.Context(), manifest)
	if err != nil {
		return err
	}
	m.Known, m.Before, m.Dropped, m.Asked = c.Known, c.Before, c.Dropped, compared(manifest, c)
	if m.Decide, m.Why, err = s.mayDecide(r, sub); err != nil {
		return err
	}
	return s.render(w, r, status, views.SubmissionPage(m))
}

// mayDecide says whether the viewer may review a submission, else why not.
func (s *Web) mayDecide(r *http.Request, sub octopus.Submission) (may bool, why string, err error) {
	if allow(r, auth.PluginManage) != nil {
		return false, "An administrator looks at it and publishes it, or says what should change.", nil
	}
	if sub.CreatedBy != subject(r).Username {
		return true, "", nil
	}
	may, err = s.cfg.Catalog.MayReviewAlone(r.Context(), sub.CreatedBy)
	return may, "You submitted this yourself: another administrator reviews it. With plugins.self_review authors may do it.", err
}

// submitted leads to a submission. Where somebody else was faster with the same bytes it says so: only they and
// administrators may look at it.
func (s *Web) submitted(w http.ResponseWriter, r *http.Request, sub octopus.Submission) error {
	if sub.CreatedBy == subject(r).Username || allow(r, auth.PluginManage) == nil {
		return redirect(w, r, "/submissions/"+url.PathEscape(sub.ID), "", "")
	}
	return redirect(w, r, "/submissions", "ok", sub.CreatedBy+" submitted these very bytes before: they are in review.")
}

func (s *Web) submissionVerb(w http.ResponseWriter, r *http.Request) error {
	sub, err := s.submission(r)
	if err != nil {
		return err
	}
	ctx, by, comment := r.Context(), subject(r).Username, r.FormValue("comment")
	back := "/submissions/" + url.PathEscape(sub.ID)
	verb := chi.URLParam(r, "verb")
	if verb == "approve" || verb == "reject" {
		if err := allow(r, auth.PluginManage); err != nil {
			return err
		}
	}
	switch verb {
	case "withdraw":
		if err := s.cfg.Catalog.Withdraw(ctx, sub.ID, by); err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, back, "ok", "Withdrawn.")
	case "reject":
		if err := s.cfg.Catalog.Reject(ctx, sub.ID, comment, by); err != nil {
			return s.undecided(w, r, sub, comment, err)
		}
		return redirect(w, r, back, "ok", "Rejected. Its author sees your comment.")
	case "approve":
		return s.approve(w, r, sub, comment)
	}
	return s.notFound(w, r)
}

func (s *Web) approve(w http.ResponseWriter, r *http.Request, sub octopus.Submission, comment string) error {
	ctx, by := r.Context(), subject(r).Username
	give := r.FormValue("grant") == "all"
	if give {
		if err := allow(r, auth.GrantManage); err != nil {
			return err
		}
	}
	v, err := s.cfg.Catalog.ApproveInto(ctx, sub.ID, comment, octopus.Ring(r.FormValue("ring")), by)
	if err != nil {
		return s.undecided(w, r, sub, comment, err)
	}
	said := "Approved and published. Grant what it asks, and it can run."
	switch {
	case give:
		if err := s.cfg.Catalog.GrantAll(ctx, v.Digest, by); err != nil {
			return err
		}
		said = "Approved, published and granted. It can run now."
	case len(s.cfg.Catalog.MissingGrants(ctx, v)) == 0:
		said = "Approved and published. It can run now."
	}
	return redirect(w, r, versionPath(v), "ok", said)
}

// undecided shows the page again with what was written, and why it was not taken.
func (s *Web) undecided(w http.ResponseWriter, r *http.Request, sub octopus.Submission, comment string, err error) error {
	if octopus.CodeOf(err) == octopus.CodeInternal {
		return err
	}
	return s.showSubmission(w, r, cmp.Or(statusOf(err), http.StatusConflict), sub, comment, octopus.Sentence(err))
}
