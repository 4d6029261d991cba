package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"octopus/internal/octopus"
	"octopus/server/auth"
	"octopus/server/catalog"
	"octopus/views"
)

// maxSwitched is how many plugins a form may tick.
const maxSwitched = 500

// maxUndo is how long the list of what changed may be that an undo button brings back: it travels in a cookie.
const maxUndo = 2000

// switchPlugins enables or disables what was ticked: plugins, or versions as name@version.
func (s *Web) switchPlugins(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.PluginManage); err != nil {
		return err
	}
	back, enabled := backTo(r, "/plugins"), r.FormValue("enabled") == "true"
	var items []catalog.Item
	for _, text := range r.Form["plugin"] {
		items = append(items, itemOf(text))
	}
	if len(items) == 0 || len(items) > maxSwitched {
		return redirect(w, r, back, "bad", "Tick what is to be switched, at most "+views.Count(maxSwitched)+" at once.")
	}
	var changed, failed []catalog.Switched
	for _, done := range s.cfg.Catalog.Switch(r.Context(), items, enabled, subject(r).Username) {
		switch {
		case done.Changed:
			changed = append(changed, done)
		case octopus.CodeOf(done.Err) == octopus.CodeInternal:
			return done.Err
		case done.Err != nil:
			failed = append(failed, done)
		}
	}
	text, undo := switchedWords(changed, failed, enabled), undoSwitch(changed)
	switch {
	case len(changed) == 0 && len(failed) > 0:
		return redirect(w, r, back, "bad", text)
	case undo == "":
		return redirect(w, r, back, "ok", text)
	}
	return redirectUndo(w, r, back, text, undo+"&back="+url.QueryEscape(back))
}

// itemOf reads "hello" or "hello@1.0.0".
func itemOf(text string) catalog.Item {
	name, version, _ := strings.Cut(text, "@")
	return catalog.Item{Plugin: name, Version: version}
}

func switchedWords(changed, failed []catalog.Switched, enabled bool) string {
	word, rest := "Disabled ", ": new runs are refused."
	if enabled {
		word, rest = "Enabled ", "."
	}
	var text string
	switch {
	case len(changed) > 0:
		text = word + thingsWords(changed) + rest
	case len(failed) == 0:
		text = "They were " + strings.ToLower(strings.TrimSpace(word)) + " already."
	}
	for i, f := range failed {
		if i == 2 && len(failed) > 3 {
			return text + " And " + views.Plural(len(failed)-i, "more was", "more were") + " not switched."
		}
		text = strings.TrimSpace(text + " " + octopus.Sentence(f.Err))
	}
	return text
}

// thingsWords is "hello", "hello 1.0.0", "3 plugins" or "2 versions".
func thingsWords(list []catalog.Switched) string {
	if len(list) == 1 {
		return strings.TrimSpace(list[0].Plugin + " " + list[0].Version)
	}
	if slices.ContainsFunc(list, func(s catalog.Switched) bool { return s.Version == "" }) {
		return views.Plural(len(list), "plugin", "plugins")
	}
	return views.Plural(len(list), "version", "versions")
}

// undoSwitch is where the button posts that brings back what each item was; "" where the list is too long for it.
func undoSwitch(changed []catalog.Switched) string {
	var list []string
	for _, s := range changed {
		list = append(list, s.Item.String()+":"+string(s.Was))
	}
	was := strings.NewReplacer("%40", "@", "%3A", ":", "%2C", ",").Replace(url.QueryEscape(strings.Join(list, ",")))
	if was == "" || len(was) > maxUndo {
		return ""
	}
	return "/plugins/restore?was=" + was
}

// restorePlugins takes a switch back: each item becomes what it was.
func (s *Web) restorePlugins(w http.ResponseWriter, r *http.Request) error {
	if err := allow(r, auth.PluginManage); err != nil {
		return err
	}
	back := backTo(r, "/plugins")
	for text := range strings.SplitSeq(r.FormValue("was"), ",") {
		name, was, _ := strings.Cut(text, ":")
		status := octopus.VersionStatus(was)
		if !slices.Contains([]octopus.VersionStatus{octopus.VersionPublished, octopus.VersionDisabled, octopus.VersionDeprecated}, status) {
			return octopus.Errorf(octopus.CodeMalformed, "This address takes nothing back.")
		}
		if err := s.cfg.Catalog.PutStatus(r.Context(), itemOf(name), status, subject(r).Username); err != nil {
			return said(w, r, back, err)
		}
	}
	return redirect(w, r, back, "ok", "Taken back.")
}
