package api_test

import (
	"encoding/json"
	"testing"

	"octopus/internal/octopus"
	"octopus/server/auth"
)

func decode(t *testing.T, a answer, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), into); err != nil {
		t.Fatalf("%v: %d %s", err, a.StatusCode, a.body)
	}
}

func newUser(name string, role octopus.Role) auth.NewUser {
	return auth.NewUser{Username: name, Password: "correct horse", Role: role}
}

func subjectOf(u octopus.User) auth.Subject {
	return auth.Subject{UserID: u.ID, Username: u.Username, Role: u.Role, Kind: auth.KindLocal}
}
