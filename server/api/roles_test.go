package api_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"octopus/internal/octopus"
)

// neededRole is what an operation of the document says that it needs.
var neededRole = regexp.MustCompile(`^Needs the role (\w+)\.`)

// TestEveryRouteAsksWhoIsCalling: each operation that the document names refuses nobody, a token that was never made,
// and every role below the one that it says, before it looks at what was sent.
func TestEveryRouteAsksWhoIsCalling(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tokens := map[octopus.Role]string{}
	for _, role := range octopus.Roles {
		u, err := w.auth.CreateUser(t.Context(), w.admin, newUser("a-"+string(role), role))
		if err != nil {
			t.Fatal(err)
		}
		tokens[role] = w.tokenOf(subjectOf(u))
	}
	var document struct {
		Paths map[string]map[string]struct{ Description string }
	}
	decode(t, w.raw("GET", "/openapi.json", ""), &document)
	asked, refused := 0, 0
	for path, operations := range document.Paths {
		path = regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "x")
		for method, operation := range operations {
			method, asked = strings.ToUpper(method), asked+1
			found := neededRole.FindStringSubmatch(operation.Description)
			if found == nil || !slices.Contains(octopus.Roles, octopus.Role(found[1])) {
				t.Errorf("%s %s does not say what it needs: %s", method, path, operation.Description)
				continue
			}
			least := octopus.Role(found[1])
			for name, header := range map[string]string{"nobody": "", "a stranger": "Bearer oct_" + strings.Repeat("A", 43)} {
				if a := w.raw(method, path, "", "Authorization", header); a.StatusCode != 401 || a.problem.Code != "unauthenticated" {
					t.Errorf("%s %s as %s: %d %s", method, path, name, a.StatusCode, a.body)
				}
			}
			for _, role := range octopus.Roles {
				if role.Includes(least) {
					continue
				}
				a := w.raw(method, path, "{", "Authorization", "Bearer "+tokens[role])
				if refused++; a.StatusCode != 403 || a.problem.Code != "denied" || !strings.Contains(a.problem.Detail, string(least)) {
					t.Errorf("%s %s as %s: %d %s", method, path, role, a.StatusCode, a.body)
				}
			}
		}
	}
	if asked < 100 || refused < 100 {
		t.Errorf("only %d operations were asked, %d times with too small a role", asked, refused)
	}
}
