package web

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"octopus/internal/octopus"
	"octopus/server/auth"
)

// executionVerb cancels, force-closes or repeats an execution.
func (s *Web) executionVerb(w http.ResponseWriter, r *http.Request) error {
	ctx, id, by := r.Context(), chi.URLParam(r, "id"), subject(r).Username
	x, err := s.cfg.Store.Execution(ctx, id)
	if err != nil {
		return err
	}
	back := backTo(r, "/executions/"+id)
	switch chi.URLParam(r, "verb") {
	case "cancel":
		if err := auth.Can(subject(r), auth.ExecutionCancel, auth.Object{Kind: "execution", ID: id, Owner: x.CreatedBy}); err != nil {
			return err
		}
		if _, err := s.cfg.Dispatch.Cancel(ctx, id, by); err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, back, "ok", "Cancelling. The agent is told at once.")
	case "force-close":
		if err := auth.Can(subject(r), auth.ExecutionCancel, auth.Object{Kind: "execution", ID: id, Owner: x.CreatedBy}); err != nil {
			return err
		}
		if _, err := s.cfg.Dispatch.ForceClose(ctx, id, by); err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, back, "ok", "Closed without its agent.")
	case "retry":
		if err := mayRepeat(r, x.TaskID); err != nil {
			return err
		}
		run, _, err := s.cfg.Dispatch.Retry(ctx, id, by, source, nil)
		if err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, "/runs/"+run.ID, "", "")
	}
	return s.notFound(w, r)
}

// backTo is where a form wants to go on: the list that it stands in, else the thing itself.
func backTo(r *http.Request, itself string) string {
	if to := local(r.FormValue("back")); to != "/" || r.FormValue("back") == "/" {
		return to
	}
	return itself
}

// runVerb cancels, force-closes or repeats a run.
func (s *Web) runVerb(w http.ResponseWriter, r *http.Request) error {
	ctx, id, by := r.Context(), chi.URLParam(r, "id"), subject(r).Username
	run, err := s.cfg.Store.Run(ctx, id)
	if err != nil {
		return err
	}
	back := backTo(r, "/runs/"+id)
	switch chi.URLParam(r, "verb") {
	case "cancel":
		if err := auth.Can(subject(r), auth.ExecutionCancel, auth.Object{Kind: "run", ID: id, Owner: run.CreatedBy}); err != nil {
			return err
		}
		if _, err := s.cfg.Dispatch.CancelRun(ctx, id, by); err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, back, "ok", "Cancelling what has not ended.")
	case "force-close":
		if err := auth.Can(subject(r), auth.ExecutionCancel, auth.Object{Kind: "run", ID: id, Owner: run.CreatedBy}); err != nil {
			return err
		}
		if _, err := s.cfg.Dispatch.ForceCloseRun(ctx, id, by); err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, back, "ok", "Closed without its agents.")
	case "retry":
		if err := mayRepeat(r, run.TaskID); err != nil {
			return err
		}
		again, _, err := s.cfg.Dispatch.RetryRun(ctx, id, r.FormValue("only") == "failed", by, source, nil)
		if err != nil {
			return said(w, r, back, err)
		}
		return redirect(w, r, "/runs/"+again.ID, "", "")
	}
	return s.notFound(w, r)
}

// mayRepeat: a saved task needs less than ad-hoc work.
func mayRepeat(r *http.Request, taskID string) error {
	if taskID != "" {
		return allow(r, auth.RunTask)
	}
	return allow(r, auth.RunAdhoc)
}

// said goes back with an error's sentence; what is nobody's fault becomes a page of its own.
func said(w http.ResponseWriter, r *http.Request, back string, err error) error {
	if octopus.CodeOf(err) == octopus.CodeInternal {
		return err
	}
	return redirect(w, r, back, "bad", octopus.Sentence(err))
}
