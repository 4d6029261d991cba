package storetest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

func newUser(t *testing.T, s *store.Store, name string, role octopus.Role) octopus.User {
	t.Helper()
	u, err := s.CreateUser(t.Context(), octopus.User{Username: name, Role: role, Active: true, PasswordHash: "$argon2id$", PlainParams: json.RawMessage(`{"a":1}`)})
	check(t, err)
	return u
}

func testUsers(t *testing.T, s *store.Store) {
	n, err := s.CountUsers(t.Context())
	check(t, err)
	equal(t, "users", n, 0)
	var won atomic.Int32
	var wg sync.WaitGroup
	for _, name := range []string{"ada", "bob", "eve"} {
		wg.Go(func() {
			_, err := s.CreateFirstUser(t.Context(), octopus.User{Username: name, Role: octopus.RoleAdmin, Active: true})
			if err == nil {
				won.Add(1)
			} else if octopus.CodeOf(err) != octopus.CodeConflict {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	equal(t, "first users", won.Load(), 1)
	zoe := newUser(t, s, "zoe", octopus.RoleViewer)
	_, err = s.CreateUser(t.Context(), octopus.User{Username: "zoe"})
	wantCode(t, err, octopus.CodeConflict)
	changed, err := s.UpdateUser(t.Context(), zoe.ID, func(u *octopus.User) error {
		u.FailedAttempts, u.DelayedUntil, u.Zone, u.Theme, u.Email = 3, u.CreatedAt.Add(time.Minute), "Europe/Berlin", "dark", "z@example.com"
		return nil
	})
	check(t, err)
	stored, err := s.User(t.Context(), "zoe")
	check(t, err)
	if !reflect.DeepEqual(stored, changed) {
		t.Fatalf("stored\n%+v\nwant\n%+v", stored, changed)
	}
	users, err := s.Users(t.Context())
	check(t, err)
	equal(t, "users", len(users), 2)
	_, err = s.UpdateUser(t.Context(), zoe.ID, func(u *octopus.User) error { u.Username = users[0].Username; return nil })
	wantCode(t, err, octopus.CodeConflict)
	check(t, s.DeleteUser(t.Context(), zoe.ID))
	wantCode(t, s.DeleteUser(t.Context(), zoe.ID), octopus.CodeNotFound)
	_, err = s.User(t.Context(), "zoe")
	wantCode(t, err, octopus.CodeNotFound)
}

func testLastAdmin(t *testing.T, s *store.Store) {
	ada, bob := newUser(t, s, "ada", octopus.RoleAdmin), newUser(t, s, "bob", octopus.RoleAdmin)
	demote := func(u *octopus.User) error { u.Role = octopus.RoleViewer; return nil }
	_, err := s.UpdateUser(t.Context(), ada.ID, demote)
	check(t, err)
	_, err = s.UpdateUser(t.Context(), bob.ID, demote)
	wantCode(t, err, octopus.CodeConflict)
	_, err = s.UpdateUser(t.Context(), bob.ID, func(u *octopus.User) error { u.Active = false; return nil })
	wantCode(t, err, octopus.CodeConflict)
	wantCode(t, s.DeleteUser(t.Context(), bob.ID), octopus.CodeConflict)
	stored, err := s.User(t.Context(), bob.ID)
	check(t, err)
	equal(t, "role", stored.Role, octopus.RoleAdmin)
}

func testSessions(t *testing.T, s *store.Store) {
	ada := newUser(t, s, "ada", octopus.RoleAdmin)
	later := s.Now().Add(time.Hour)
	for _, id := range []string{"ses_1", "ses_2"} {
		check(t, s.CreateSession(t.Context(), octopus.Session{ID: id, Hash: []byte(id), UserID: ada.ID, ExpiresAt: later, UserAgent: "Mozilla", RemoteIP: "::1"}))
	}
	check(t, s.CreateSession(t.Context(), octopus.Session{ID: "ses_3", Hash: []byte("ses_3"), UserID: ada.ID, ExpiresAt: later.Add(-2 * time.Hour)}))
	wantCode(t, s.CreateSession(t.Context(), octopus.Session{ID: "ses_4", Hash: []byte("ses_4"), UserID: "usr_none"}), octopus.CodeNotFound)
	got, err := s.SessionByHash(t.Context(), []byte("ses_1"))
	check(t, err)
	if got.UserID != ada.ID || !bytes.Equal(got.Hash, []byte("ses_1")) || !got.ExpiresAt.Equal(later) {
		t.Fatalf("session %+v", got)
	}
	_, err = s.SessionByHash(t.Context(), []byte("ses_3"))
	wantCode(t, err, octopus.CodeNotFound)
	check(t, s.ExtendSession(t.Context(), "ses_3", later))
	sessions, err := s.UserSessions(t.Context(), ada.ID)
	check(t, err)
	equal(t, "sessions", len(sessions), 3)
	check(t, s.DeleteSession(t.Context(), "ses_3"))
	check(t, s.DeleteSession(t.Context(), "ses_3"))
	check(t, s.DeleteUserSessions(t.Context(), ada.ID, "ses_2"))
	sessions, err = s.UserSessions(t.Context(), ada.ID)
	check(t, err)
	equal(t, "sessions", len(sessions), 1)
	bob := newUser(t, s, "bob", octopus.RoleAdmin)
	check(t, s.DeleteUser(t.Context(), ada.ID))
	_, err = s.SessionByHash(t.Context(), []byte("ses_2"))
	wantCode(t, err, octopus.CodeNotFound)
	check(t, s.CreateSession(t.Context(), octopus.Session{ID: "ses_5", Hash: []byte("ses_5"), UserID: bob.ID, ExpiresAt: s.Now().Add(-time.Second)}))
	expired, err := s.PurgeExpired(t.Context(), s.Now())
	check(t, err)
	equal(t, "purged", expired.Sessions, 1)
}

func testTokens(t *testing.T, s *store.Store) {
	ada, bob := newUser(t, s, "ada", octopus.RoleAdmin), newUser(t, s, "bob", octopus.RoleUser)
	check(t, s.CreateToken(t.Context(), octopus.Token{ID: "tok_1", Name: "ci", Hash: []byte("h1"), UserID: ada.ID, Role: octopus.RoleOperator}))
	check(t, s.CreateToken(t.Context(), octopus.Token{ID: "tok_2", Name: "ci", Hash: []byte("h2"), UserID: bob.ID, Role: octopus.RoleUser, ExpiresAt: s.Now().Add(time.Hour)}))
	wantCode(t, s.CreateToken(t.Context(), octopus.Token{ID: "tok_3", Hash: []byte("h1"), UserID: ada.ID}), octopus.CodeConflict)
	wantCode(t, s.CreateToken(t.Context(), octopus.Token{ID: "tok_4", Hash: []byte("h4"), UserID: "usr_none"}), octopus.CodeNotFound)
	got, err := s.TokenByHash(t.Context(), []byte("h1"))
	check(t, err)
	if got.Role != octopus.RoleOperator || got.Name != "ci" || !got.ExpiresAt.IsZero() || !got.LastUsed.IsZero() {
		t.Fatalf("token %+v", got)
	}
	_, err = s.TokenByHash(t.Context(), []byte("none"))
	wantCode(t, err, octopus.CodeNotFound)
	for userID, want := range map[string]int{"": 2, bob.ID: 1, "usr_none": 0} {
		tokens, err := s.Tokens(t.Context(), userID)
		check(t, err)
		equal(t, "tokens of "+userID, len(tokens), want)
	}
	check(t, s.RevokeToken(t.Context(), "tok_1"))
	wantCode(t, s.RevokeToken(t.Context(), "tok_none"), octopus.CodeNotFound)
	got, err = s.TokenByHash(t.Context(), []byte("h1"))
	check(t, err)
	if got.RevokedAt.IsZero() {
		t.Fatal("a revoked token does not say so")
	}
}

// testTouched: uses of tokens are noted without a write each, and survive Close.
func testTouched(t *testing.T, s *store.Store) {
	ada := newUser(t, s, "ada", octopus.RoleAdmin)
	check(t, s.CreateToken(t.Context(), octopus.Token{ID: "tok_1", Hash: []byte("h1"), UserID: ada.ID}))
	before := s.Statements()
	for range 100 {
		s.TouchToken("tok_1")
	}
	equal(t, "statements", s.Statements(), before)
	url := sameURL(s)
	check(t, s.Close())
	reopened := OpenURL(t, url)
	got, err := reopened.TokenByHash(t.Context(), []byte("h1"))
	check(t, err)
	if got.LastUsed.IsZero() {
		t.Fatal("the last use was lost")
	}
}
