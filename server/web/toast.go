package web

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"

	"octopus/views"
)

// maxToast is how long the cookie may be: browsers keep 4 KiB.
const maxToast = 3900

// toastCookie carries one sentence over a redirect: its kind, where its undo button posts, and the text.
const toastCookie = "octopus_toast"

// undoable are the addresses that an undo button may have: a cookie is not trusted further than that.
var undoable = regexp.MustCompile(`^/tasks/tsk_[0-9a-z]{26}/restore$|^/plugins/restore\?was=[0-9A-Za-z.%@:,-]+&back=[0-9A-Za-z.%_~-]+$|^/plugins/[a-z0-9][a-z0-9-]{1,62}/resume\?version=[0-9A-Za-z.%-]{1,600}$`)

// redirect answers a form: go there and say that.
func redirect(w http.ResponseWriter, r *http.Request, to, kind, text string) error {
	if text != "" {
		setToast(w, views.Toast{Kind: kind, Text: text})
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// redirectUndo answers a form: go there and say that, with a button that takes it back.
func redirectUndo(w http.ResponseWriter, r *http.Request, to, text, undo string) error {
	setToast(w, views.Toast{Kind: "ok", Text: text, Undo: undo})
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func setToast(w http.ResponseWriter, t views.Toast) {
	raw := base64.RawURLEncoding.EncodeToString([]byte(t.Kind + "|" + t.Undo + "|" + t.Text))
	http.SetCookie(w, &http.Cookie{Name: toastCookie, Value: raw, Path: "/", MaxAge: 30, HttpOnly: true, SameSite: http.SameSiteStrictMode})
}

// takeToast reads the sentence that a redirect left, once.
func takeToast(w http.ResponseWriter, r *http.Request) *views.Toast {
	c, err := r.Cookie(toastCookie)
	if err != nil || len(c.Value) > maxToast {
		return nil
	}
	http.SetCookie(w, &http.Cookie{Name: toastCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode})
	raw, err := base64.RawURLEncoding.DecodeString(c.Value)
	parts := strings.SplitN(string(raw), "|", 3)
	if err != nil || len(parts) != 3 || parts[0] != "ok" && parts[0] != "bad" {
		return nil
	}
	t := &views.Toast{Kind: parts[0], Undo: parts[1], Text: parts[2]}
	if !undoable.MatchString(t.Undo) {
		t.Undo = ""
	}
	return t
}
