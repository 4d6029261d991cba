package web

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"octopus/internal/octopus"
	"octopus/wasmplugins"
)

// TestSecretPages: a secret is stored, bound and removed; its value is on no page, and only administrators get there.
func TestSecretPages(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	noop, err := os.ReadFile("../../wasmplugins/builtin/noop/noop.wasm")
	if err != nil {
		t.Fatal(err)
	}
	module, err := wasmplugins.Pack(noop, []byte(`{"schema":"octopus.plugin/v1","abi":1,"name":"keeper","version":"1.0.0",
"actions":[{"name":"go"}],"capabilities":{"secrets":[{"name":"api_token"}]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.catalog.Upload(t.Context(), module, "root"); err != nil {
		t.Fatal(err)
	}
	b := s.as(octopus.RoleAdmin)
	b.get("/secrets").has(t, http.StatusOK, "No secret is stored", "octopus secrets list")
	b.post("/secrets", "name", "bad name", "value", "hunter2").has(t, http.StatusUnprocessableEntity, "f-name-error", "bad name")
	b.post("/plugins/keeper/grant", "version", "1.0.0").has(t, http.StatusOK, "Granted.", "needs a value for the secret api_token", "not stored yet")
	b.get("/run?plugin=keeper").has(t, http.StatusOK, "missing-secret", "octopus secrets set api_token")
	b.post("/tasks", "name", "nightly", "plugin", "keeper", "action", "go").has(t, http.StatusUnprocessableEntity, "needs a value for the secret api_token")
	b.post("/secrets", "name", "door", "value", "hunter2").has(t, http.StatusOK, "Stored door.")
	page := b.post("/plugins/keeper/grant", "version", "1.0.0", "secret.api_token", "door")
	page.has(t, http.StatusOK, "Granted.", "Use these secrets")
	if strings.Contains(page.body, "missing-secret") {
		t.Error("it is stored, and still missed")
	}
	b.post("/plugins/keeper/grant", "version", "1.0.0", "secret.api_token", "none").has(t, http.StatusOK, "There is no secret")
	list := b.get("/secrets")
	list.has(t, http.StatusOK, "door", "keeper 1.0.0", "whatever else uses it is refused")
	if strings.Contains(list.body, "hunter2") {
		t.Error("the value is shown")
	}
	b.post("/secrets/door/remove").has(t, http.StatusOK, "Removed door.")
	operator := s.as(octopus.RoleOperator)
	operator.get("/secrets").has(t, http.StatusForbidden)
	operator.post("/secrets", "name", "x", "value", "y").has(t, http.StatusForbidden)
	operator.post("/secrets/x/remove").has(t, http.StatusForbidden)
}

// TestParamsCard: everybody edits parameters of their own; what is no object is shown again with the reason.
func TestParamsCard(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as(octopus.RoleViewer)
	b.post("/profile/params", "category", "preferences", "params", `{"zone":"UTC"}`).has(t, http.StatusOK, "Saved.", "&#34;zone&#34;: &#34;UTC&#34;")
	for _, bad := range []string{"", "[1]", "null", "{", `"a"`} {
		b.post("/profile/params", "category", "other", "params", bad).has(t, http.StatusUnprocessableEntity, "f-params-error", `value="other"`)
	}
	b.post("/profile/params", "category", "not good", "params", "{}").has(t, http.StatusUnprocessableEntity, "f-params-error")
	b.post("/profile/params/remove", "category", "preferences").has(t, http.StatusOK, "Removed.")
	if p := b.get("/profile"); strings.Contains(p.body, "params-row") {
		t.Error("it is still there")
	}
}
