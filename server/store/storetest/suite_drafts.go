package storetest

import (
	"fmt"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// testDrafts: a draft is its author's alone, an older revision does not overwrite a newer one, and drafts go with
// their user.
func testDrafts(t *testing.T, s *store.Store) {
	newUser(t, s, "root", octopus.RoleAdmin)
	ada, eve := newUser(t, s, "ada", octopus.RoleOperator), newUser(t, s, "eve", octopus.RoleOperator)
	d, err := s.CreateDraft(t.Context(), octopus.Draft{ID: "drf_1", UserID: ada.ID, Name: "hello", Script: "// ä\n", Manifest: "name: hello\n"})
	check(t, err)
	equal(t, "first revision", d.Revision, int64(1))
	got, err := s.Draft(t.Context(), ada.ID, "drf_1")
	check(t, err)
	if got.Script != "// ä\n" || got.Manifest != "name: hello\n" || got.Name != "hello" || got.UserID != ada.ID || got.CreatedAt.IsZero() {
		t.Errorf("%+v", got)
	}
	_, err = s.Draft(t.Context(), eve.ID, "drf_1")
	wantCode(t, err, octopus.CodeNotFound)
	got.Script, got.Name = "// b", "world"
	revision, err := s.SaveDraft(t.Context(), got)
	check(t, err)
	equal(t, "revision", revision, int64(2))
	_, err = s.SaveDraft(t.Context(), got)
	wantCode(t, err, octopus.CodeStale)
	stolen := got
	stolen.UserID, stolen.Revision = eve.ID, 2
	_, err = s.SaveDraft(t.Context(), stolen)
	wantCode(t, err, octopus.CodeNotFound)
	wantCode(t, s.DeleteDraft(t.Context(), eve.ID, "drf_1"), octopus.CodeNotFound)
	all, err := s.Drafts(t.Context(), ada.ID)
	check(t, err)
	if len(all) != 1 || all[0].Name != "world" || all[0].Revision != 2 || all[0].Script != "" {
		t.Errorf("%+v", all)
	}
	check(t, s.DeleteDraft(t.Context(), ada.ID, "drf_1"))
	wantCode(t, s.DeleteDraft(t.Context(), ada.ID, "drf_1"), octopus.CodeNotFound)
	_, err = s.CreateDraft(t.Context(), octopus.Draft{ID: "drf_x", UserID: "usr_none"})
	wantCode(t, err, octopus.CodeNotFound)
	for i := range store.MaxDrafts {
		_, err := s.CreateDraft(t.Context(), octopus.Draft{ID: fmt.Sprintf("drf_m%02d", i), UserID: eve.ID})
		check(t, err)
	}
	_, err = s.CreateDraft(t.Context(), octopus.Draft{ID: "drf_more", UserID: eve.ID})
	wantCode(t, err, octopus.CodeConflict)
	check(t, s.DeleteUser(t.Context(), eve.ID))
	all, err = s.Drafts(t.Context(), eve.ID)
	check(t, err)
	equal(t, "drafts of a user who is gone", len(all), 0)
}
