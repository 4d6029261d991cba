package storetest

import (
	"bytes"
	"sync"
	"testing"
	"time"

	"octopus/internal/octopus"
	"octopus/server/store"
)

// secretsKey makes id the key of the secrets.
func secretsKey(t *testing.T, s *store.Store, id string) {
	t.Helper()
	got, err := s.SecretsKey(t.Context(), id)
	check(t, err)
	equal(t, "key", got, id)
}

func sealed(key, data string) octopus.Sealed { return octopus.Sealed{KeyID: key, Data: []byte(data)} }

// testSecrets: values come back as they are, lists have none, and names that come and go change what plugins lack.
func testSecrets(t *testing.T, s *store.Store) {
	id, err := s.SecretsKey(t.Context(), "")
	check(t, err)
	equal(t, "key of a new database", id, "")
	secretsKey(t, s, "k1")
	changes := s.PluginChanges()
	created, err := s.PutSecret(t.Context(), "token", sealed("k1", "\x00\xff one"), "ada")
	check(t, err)
	equal(t, "created", created, true)
	_, err = s.PutSecret(t.Context(), "a.token", sealed("k1", "two"), "ada")
	check(t, err)
	equal(t, "plugins changed", s.PluginChanges() > changes, true)
	created, err = s.PutSecret(t.Context(), "token", sealed("k1", "\x00\xff three"), "bob")
	check(t, err)
	equal(t, "created again", created, false)
	v, err := s.SecretNamed(t.Context(), "token")
	check(t, err)
	if !bytes.Equal(v.Sealed.Data, []byte("\x00\xff three")) || v.CreatedBy != "ada" || v.UpdatedBy != "bob" || v.UpdatedAt.Before(v.CreatedAt) || !v.LastUsed.IsZero() {
		t.Errorf("%+v", v)
	}
	at := s.Now().Truncate(time.Microsecond)
	check(t, s.TouchSecret(t.Context(), "token", "http-check", at))
	check(t, s.TouchSecret(t.Context(), "token", "older", at.Add(-time.Minute)))
	check(t, s.TouchSecret(t.Context(), "none", "http-check", at))
	all, err := s.Secrets(t.Context())
	check(t, err)
	if len(all) != 2 || all[0].Name != "a.token" || all[1].LastUsedBy != "http-check" || !all[1].LastUsed.Equal(at) || all[1].Sealed.Data != nil {
		t.Errorf("%+v", all)
	}
	check(t, s.DeleteSecret(t.Context(), "token"))
	wantCode(t, s.DeleteSecret(t.Context(), "token"), octopus.CodeNotFound)
	_, err = s.SecretNamed(t.Context(), "token")
	wantCode(t, err, octopus.CodeNotFound)
}

// testSecretsKey: of several servers that make the first key at once one wins; what another key sealed is not stored.
func testSecretsKey(t *testing.T, s *store.Store) {
	var wg sync.WaitGroup
	got := make([]string, 4)
	for i := range got {
		wg.Go(func() { got[i], _ = s.SecretsKey(t.Context(), string(rune('a'+i))) })
	}
	wg.Wait()
	for _, id := range got {
		equal(t, "key", id, got[0])
	}
	_, err := s.PutSecret(t.Context(), "x", sealed("z", "1"), "ada")
	wantCode(t, err, octopus.CodeConflict)
	u := newUser(t, s, "ada", octopus.RoleAdmin)
	wantCode(t, s.SetUserParams(t.Context(), u.ID, []octopus.UserParams{{Category: "c", Sealed: sealed("z", "1")}}, nil), octopus.CodeConflict)
}

// testUserParams: categories are set and removed together, and go with their user.
func testUserParams(t *testing.T, s *store.Store) {
	secretsKey(t, s, "k1")
	newUser(t, s, "root", octopus.RoleAdmin)
	u := newUser(t, s, "ada", octopus.RoleUser)
	set := func(set []octopus.UserParams, remove ...string) []octopus.UserParams {
		t.Helper()
		check(t, s.SetUserParams(t.Context(), u.ID, set, remove))
		all, err := s.UserParams(t.Context(), u.ID)
		check(t, err)
		return all
	}
	all := set([]octopus.UserParams{{Category: "b", Sealed: sealed("k1", "\xff1")}, {Category: "a", Sealed: sealed("k1", "2")}})
	if len(all) != 2 || all[0].Category != "a" || string(all[1].Sealed.Data) != "\xff1" || all[1].UpdatedAt.IsZero() {
		t.Errorf("%+v", all)
	}
	all = set([]octopus.UserParams{{Category: "b", Sealed: sealed("k1", "3")}}, "a", "none")
	if len(all) != 1 || string(all[0].Sealed.Data) != "3" {
		t.Errorf("%+v", all)
	}
	wantCode(t, s.SetUserParams(t.Context(), "usr_none", []octopus.UserParams{{Category: "b", Sealed: sealed("k1", "3")}}, nil), octopus.CodeNotFound)
	check(t, s.DeleteUser(t.Context(), u.ID))
	all, err := s.UserParams(t.Context(), u.ID)
	check(t, err)
	equal(t, "parameters of a user who is gone", len(all), 0)
}

// testReseal: every value gets the new key, or none does; what cannot be read is removed where that is asked for.
func testReseal(t *testing.T, s *store.Store) {
	secretsKey(t, s, "k1")
	u := newUser(t, s, "ada", octopus.RoleAdmin)
	for _, name := range []string{"a", "b", "lost"} {
		_, err := s.PutSecret(t.Context(), name, sealed("k1", name), "ada")
		check(t, err)
	}
	check(t, s.SetUserParams(t.Context(), u.ID, []octopus.UserParams{{Category: "c", Sealed: sealed("k1", "c")}}, nil))
	again := store.Resealer{
		Secret: func(v octopus.Secret) (octopus.Sealed, bool, error) {
			return sealed("k2", "new "+string(v.Sealed.Data)), v.Name != "lost", nil
		},
		UserParams: func(v octopus.UserParams) (octopus.Sealed, bool, error) {
			return sealed("k2", "new "+string(v.Sealed.Data)), true, nil
		},
	}
	fails := again
	fails.UserParams = func(octopus.UserParams) (octopus.Sealed, bool, error) {
		return octopus.Sealed{}, false, octopus.Errorf(octopus.CodeInvalid, "no")
	}
	_, err := s.Reseal(t.Context(), "k1", "k2", fails)
	wantCode(t, err, octopus.CodeInvalid)
	_, err = s.Reseal(t.Context(), "k0", "k2", again)
	wantCode(t, err, octopus.CodeConflict)
	if v, err := s.SecretNamed(t.Context(), "a"); err != nil || string(v.Sealed.Data) != "a" {
		t.Fatalf("%+v %v", v, err)
	}
	done, err := s.Reseal(t.Context(), "k1", "k2", again)
	check(t, err)
	equal(t, "resealed", done, store.Resealed{Kept: 3, Removed: 1})
	v, err := s.SecretNamed(t.Context(), "a")
	check(t, err)
	equal(t, "secret", string(v.Sealed.Data)+" "+v.Sealed.KeyID, "new a k2")
	params, err := s.UserParams(t.Context(), u.ID)
	check(t, err)
	equal(t, "parameters", string(params[0].Sealed.Data)+" "+params[0].Sealed.KeyID, "new c k2")
	secretsKey(t, s, "k2")
}
