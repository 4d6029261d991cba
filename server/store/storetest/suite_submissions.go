package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

func submission(id, number, digest, by string) octopus.Submission {
	return octopus.Submission{ID: id, Plugin: "hello", Version: number, Digest: digest, Size: 4, Status: octopus.SubmissionInReview,
		Manifest: json.RawMessage(`{"name":"hello"}`), Note: "Please", CreatedBy: by,
		Checks: []octopus.Check{{Name: "compiles", Status: octopus.CheckOK, TookMS: 3}}}
}

func testSubmissions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	check(t, s.AddSubmission(ctx, submission("sub_1", "1.0.0", "sha256:1", "bob"), []byte("one")))
	wantCode(t, s.AddSubmission(ctx, submission("sub_2", "1.0.0", "sha256:2", "eve"), []byte("two")), octopus.CodeConflict)
	failed := submission("sub_3", "1.0.0", "sha256:3", "eve")
	failed.Status = octopus.SubmissionFailed
	check(t, s.AddSubmission(ctx, failed, []byte("three")))
	_, err := s.Module(ctx, "sha256:3")
	wantCode(t, err, octopus.CodeNotFound)

	open, err := s.OpenSubmission(ctx, "hello", "1.0.0")
	check(t, err)
	if open.ID != "sub_1" || open.Note != "Please" || len(open.Checks) != 1 || open.Checks[0].TookMS != 3 || open.CreatedAt.IsZero() || !open.DecidedAt.IsZero() {
		t.Fatalf("submission %+v", open)
	}
	for author, want := range map[string]int{"bob": 1, "eve": 0, "": 1} {
		n, err := s.CountOpenSubmissions(ctx, author)
		check(t, err)
		equal(t, "open of "+author, n, want)
	}
	// Nothing that is in review can be had as a plugin.
	_, err = s.VersionByDigest(ctx, "sha256:1")
	wantCode(t, err, octopus.CodeNotFound)

	check(t, s.CloseSubmission(ctx, "sub_1", octopus.SubmissionRejected, "ada", "Not yet"))
	wantCode(t, s.CloseSubmission(ctx, "sub_1", octopus.SubmissionWithdrawn, "bob", ""), octopus.CodeConflict)
	wantCode(t, s.CloseSubmission(ctx, "sub_9", octopus.SubmissionWithdrawn, "bob", ""), octopus.CodeNotFound)
	_, err = s.Module(ctx, "sha256:1")
	wantCode(t, err, octopus.CodeNotFound)

	check(t, s.AddSubmission(ctx, submission("sub_4", "1.0.0", "sha256:1", "bob"), []byte("one")))
	v := version("hello", "1.0.0", "sha256:1")
	v.CreatedBy = "bob"
	check(t, s.Approve(ctx, "sub_4", "ada", "Good", v, "uploaded", "Greets", []byte("one")))
	wantCode(t, s.Approve(ctx, "sub_4", "ada", "Good", v, "uploaded", "Greets", []byte("one")), octopus.CodeConflict)
	published, err := s.Version(ctx, "hello", "1.0.0")
	check(t, err)
	equal(t, "author", published.CreatedBy, "bob")

	latest, err := s.LatestSubmission(ctx, "hello", "sha256:1")
	check(t, err)
	equal(t, "latest of these bytes", latest.ID, "sub_4")
	_, err = s.LatestSubmission(ctx, "hello", "sha256:9")
	wantCode(t, err, octopus.CodeNotFound)

	items, next, err := s.Submissions(ctx, store.SubmissionFilter{CreatedBy: "bob"}, store.Page{Limit: 1, Descending: true})
	check(t, err)
	if len(items) != 1 || items[0].ID != "sub_4" || items[0].DecidedBy != "ada" || items[0].Comment != "Good" || next == "" {
		t.Fatalf("submissions %+v, %q", items, next)
	}
	items, _, err = s.Submissions(ctx, store.SubmissionFilter{Status: octopus.SubmissionFailed}, store.Page{})
	check(t, err)
	equal(t, "failed", len(items), 1)
}

func testPluginEvents(t *testing.T, s *store.Store) {
	ctx := t.Context()
	v := version("hello", "1.0.0", "sha256:1")
	v.Manifest = json.RawMessage(`{"name":"hello","capabilities":{"http":{}}}`)
	check(t, s.PublishVersion(ctx, v, "uploaded", "", nil))
	check(t, s.PublishVersion(ctx, v, "uploaded", "", nil)) // the same again tells nothing
	check(t, s.PutGrant(ctx, octopus.Grant{Digest: "sha256:1", Capabilities: json.RawMessage(`{"http":{}}`), GrantedBy: "eve"}))
	check(t, s.PutGrant(ctx, octopus.Grant{Digest: "sha256:1", Capabilities: json.RawMessage(`{}`), GrantedBy: "eve"}))
	check(t, s.SetVersionStatus(ctx, "hello", "1.0.0", octopus.VersionRevoked, "bob"))
	check(t, s.SetPluginEnabled(ctx, "hello", false, "bob"))
	refused := octopus.PluginEvent{Plugin: "hello", Version: "1.0.0", Kind: octopus.PluginModuleRefused, Actor: "agent-1", Message: "Its bytes were changed."}
	for range 3 {
		check(t, s.AddPluginEvent(ctx, refused, time.Hour))
	}
	check(t, s.AddPluginEvent(ctx, octopus.PluginEvent{Plugin: "other", Kind: octopus.PluginSwitched}, 0))
	events, next, err := s.PluginEvents(ctx, "hello", store.Page{})
	check(t, err)
	var told []string
	for _, e := range events {
		told = append(told, fmt.Sprint(e.Kind, " ", e.Version, " ", e.Actor, " ", e.Message))
	}
	want := []string{"published 1.0.0 ada ", `granted 1.0.0 eve {"http":{}}`, "grant_revoked 1.0.0 eve ", "status_changed 1.0.0 bob revoked",
		"switched  bob disabled", "module_refused 1.0.0 agent-1 Its bytes were changed."}
	equal(t, "history", fmt.Sprint(told), fmt.Sprint(want))
	equal(t, "next", next, "")
}

func testSignatures(t *testing.T, s *store.Store) {
	ctx := t.Context()
	v := version("hello", "1.0.0", "sha256:1")
	v.Signatures = []octopus.Signature{{Key: "b", Signature: []byte{1, 0, 255}}}
	check(t, s.PublishVersion(ctx, v, "uploaded", "", nil))
	check(t, s.AddSignatures(ctx, "sha256:1", octopus.Signature{Key: "a", Signature: []byte("new")}, octopus.Signature{Key: "b", Signature: []byte("again")}))
	list, err := s.Signatures(ctx, "sha256:1")
	check(t, err)
	equal(t, "signatures", fmt.Sprintf("%s", list), "[{a new} {b again}]")
	list, err = s.Signatures(ctx, "sha256:2")
	check(t, err)
	equal(t, "of another", len(list), 0)

	one, err := Agent(s, "one")
	check(t, err)
	two, err := Agent(s, "two")
	check(t, err)
	for _, agent := range []string{one.ID, two.ID, one.ID} {
		check(t, s.NoteFetch(ctx, "sha256:1", agent))
	}
	fetches, err := s.Fetches(ctx, "hello")
	check(t, err)
	equal(t, "fetches", fmt.Sprint(fetches), "map[sha256:1:{3 2}]")
	check(t, s.RemoveAgent(ctx, one.ID))
	fetches, err = s.Fetches(ctx, "hello")
	check(t, err)
	equal(t, "of agents that are still there", fmt.Sprint(fetches), "map[sha256:1:{3 1}]")

	for _, add := range []string{"a", "b"} {
		check(t, s.ChangeMeta(ctx, "letters", func(old string) (string, error) { return old + add, nil }))
	}
	letters, err := s.Meta(ctx, "letters")
	check(t, err)
	equal(t, "letters", letters, "ab")
	no := octopus.Errorf(octopus.CodeConflict, "No.")
	wantCode(t, s.ChangeMeta(ctx, "letters", func(string) (string, error) { return "", no }), octopus.CodeConflict)
}
